//! Clean starts over whatever a ring directory may hold, and who may come in.

use super::*;
use ipc::{Observer, Producer};
use std::os::unix::{fs::symlink, net::UnixListener};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn demo() -> (TempDir, Pipeline) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
    let mut pipeline = Pipeline::load(&file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    pipeline.rings = directory.path().join("rings");
    (directory, pipeline)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Fills the ring directory as killed runs, older versions and mistakes of hand may leave it.
fn litter(pipeline: &Pipeline, elsewhere: &Path) -> usize {
    let whole = {
        let _segments = Segments::lay_out(pipeline).unwrap();
        fs::read(pipeline.ring_path("orders")).unwrap()
    };
    let directory = pipeline.ring_dir();
    fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, bytes: &[u8]| fs::write(directory.join(name), bytes).unwrap();
    file("orders.ring", b"");
    file("acks.ring", &whole[..5000]);
    let mut unfinished = whole.clone();
    unfinished[..8].fill(0);
    file("fills.ring", &unfinished);
    let mut old = whole.clone();
    old[8..12].copy_from_slice(&1_u32.to_le_bytes());
    file("games.0.ring", &old);
    file("prices.0.ring", &[0xAB; 4096]);
    file("of-a-longer-pipeline.ring", &whole);
    fs::create_dir_all(directory.join("signals.0.ring/deep")).unwrap();
    symlink(elsewhere, directory.join("prices.board")).unwrap();
    drop(UnixListener::bind(directory.join("socket")).unwrap());
    nix::unistd::mkfifo(&directory.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    file("forbidden", b"x");
    fs::set_permissions(directory.join("forbidden"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    if geteuid().is_root() {
        std::os::unix::fs::chown(&directory, Some(64_001), None).unwrap();
    }
    fs::read_dir(&directory).unwrap().count()
}

#[test]
fn a_start_over_leftovers_of_every_kind_is_a_clean_start() {
    let (directory, pipeline) = demo();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "not ours").unwrap();
    let littered = litter(&pipeline, &elsewhere);
    let segments = Segments::lay_out(&pipeline).unwrap();
    assert_eq!(segments.leftovers, littered);
    for link in &pipeline.links {
        let observer = Observer::open(&pipeline.ring_path(&link.name)).unwrap();
        assert_eq!(observer.statistics().published, 0);
    }
    // And the board `control`, and one for each process.
    let expected = pipeline.links.len() + pipeline.boards.len() + 1 + pipeline.processes.len();
    assert_eq!(
        fs::read_dir(pipeline.ring_dir()).unwrap().count(),
        expected,
        "nothing else is left"
    );
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "not ours");
    assert_eq!(mode(&pipeline.ring_dir()), 0o700);
    let owner = fs::metadata(pipeline.ring_dir()).unwrap().uid();
    assert_eq!(owner, geteuid().as_raw(), "nobody else may put files there");
    drop(segments);
    assert!(!pipeline.rings.exists());
}

#[test]
fn what_a_live_process_holds_is_left_alone_and_named() {
    let (_directory, pipeline) = demo();
    fs::create_dir_all(pipeline.ring_dir()).unwrap();
    let path = pipeline.ring_path("orders");
    create_ring::<Order>(&path, RingOptions::default()).unwrap();
    let held = Producer::<Order>::attach(&path).unwrap();
    let error = Segments::lay_out(&pipeline).err().unwrap().to_string();
    assert!(
        error.contains("another live process is the producer of") && error.contains("orders.ring"),
        "{error}"
    );
    drop(held);
    // A child that another test starts has our files open for a moment, and with them the role.
    let due = Instant::now() + Duration::from_secs(10);
    let segments = loop {
        match Segments::lay_out(&pipeline) {
            Ok(segments) => break segments,
            Err(error) => assert!(Instant::now() < due, "{error}"),
        }
    };
    assert_eq!(segments.leftovers, 1);
}

#[test]
fn a_link_in_place_of_the_ring_directory_is_refused() {
    let (directory, pipeline) = demo();
    let elsewhere = directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(&pipeline.rings).unwrap();
    symlink(&elsewhere, pipeline.ring_dir()).unwrap();
    let error = Segments::lay_out(&pipeline).err().unwrap().to_string();
    assert!(error.contains("no link to one"), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_group_is_let_in_as_far_as_the_pipeline_file_says() {
    let (_directory, mut pipeline) = demo();
    pipeline.ring_mode = 0o640;
    let group = nix::unistd::getegid().as_raw();
    pipeline.ring_group = Some(group.to_string());
    let _segments = Segments::lay_out(&pipeline).unwrap();
    assert_eq!(mode(&pipeline.rings), 0o711);
    assert_eq!(mode(&pipeline.ring_dir()), 0o750);
    for path in [pipeline.ring_path("orders"), pipeline.board_path("prices")] {
        assert_eq!(
            (mode(&path), fs::metadata(&path).unwrap().gid()),
            (0o640, group)
        );
    }
}

#[test]
fn what_is_missing_above_the_rings_is_made_too_and_can_be_passed_through() {
    let (directory, mut pipeline) = demo();
    pipeline.rings = directory.path().join("a/b");
    let segments = Segments::lay_out(&pipeline).unwrap();
    for path in [pipeline.rings.parent().unwrap(), &pipeline.rings] {
        assert_eq!(mode(path), 0o711, "{}", path.display());
    }
    assert_eq!(mode(&pipeline.ring_dir()), 0o700);
    drop(segments);
    assert!(!pipeline.rings.exists());
}

#[test]
fn a_directory_above_the_rings_that_is_no_directory_names_its_fix() {
    let (directory, mut pipeline) = demo();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    pipeline.rings = file;
    let error = Segments::lay_out(&pipeline).err().unwrap().to_string();
    assert!(
        error.contains("set `rings` in the pipeline file"),
        "{error}"
    );
}

#[test]
fn a_parent_that_an_older_version_left_private_lets_the_group_through() {
    let (_directory, pipeline) = demo();
    fs::create_dir(&pipeline.rings).unwrap();
    fs::set_permissions(&pipeline.rings, Permissions::from_mode(0o700)).unwrap();
    // Held, so that the parent stays.
    let _alone = Segments::lay_out(&pipeline).unwrap();
    assert_eq!(mode(&pipeline.rings), 0o700, "nobody else is to pass");
    let mut shared = pipeline.clone();
    shared.name = "shared".into();
    shared.ring_mode = 0o640;
    shared.ring_group = Some(nix::unistd::getegid().as_raw().to_string());
    let _shared = Segments::lay_out(&shared).unwrap();
    assert_eq!(mode(&pipeline.rings), 0o711);
}
