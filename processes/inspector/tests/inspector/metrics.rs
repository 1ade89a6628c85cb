//! The metrics: the format of Prometheus, once and over HTTP.

use crate::verbs::{ends, scene};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
};

/// Every line is a comment or a sample, every sample belongs to the family announced before it, and the buckets of a
/// histogram grow up to its count.
fn check_exposition(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut family, mut last) = (BTreeMap::new(), String::new(), 0.0);
    for line in text.lines() {
        if let Some(announced) = line.strip_prefix("# HELP ") {
            family = announced.split(' ').next().unwrap().to_owned();
            continue;
        }
        if let Some(sort) = line.strip_prefix("# TYPE ") {
            let (name, sort) = sort.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert_eq!(sort == "counter", name.ends_with("_total"), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(
            series.starts_with(&family) && series.ends_with('}'),
            "{line}"
        );
        if series.contains("_bucket{") {
            last = if series.contains("le=\"0.000000127\"") {
                value
            } else {
                last
            };
            assert!(value >= last, "{line}");
            last = value;
        } else if series.contains("_count{") {
            assert!((value - last).abs() < 0.5, "{line}");
        }
        assert!(
            samples.insert(series.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    samples
}

#[test]
fn metrics_are_in_the_format_of_prometheus() {
    let (scene, _feed, _risk) = scene();
    let ended = scene.inspect(&["metrics"]);
    ends(&ended, 0);
    let samples = check_exposition(&ended.output);
    let place = "{pipeline=\"demo\",ring=\"orders\",kind=\"ring\"";
    for (series, value) in [
        (format!("arbees_published_total{place}}}"), 40.0),
        (format!("arbees_consumed_total{place}}}"), 40.0),
        (format!("arbees_depth{place}}}"), 0.0),
        (format!("arbees_hop_seconds_count{place}}}"), 40.0),
        (
            format!("arbees_hop_seconds_bucket{place},le=\"+Inf\"}}"),
            40.0,
        ),
        (
            format!("arbees_attached{place},role=\"consumer\",holder=\"risk\"}}"),
            1.0,
        ),
    ] {
        let found = samples.get(&series).copied();
        assert_eq!(found, Some(value), "{series}\n{}", ended.output);
    }
}

#[test]
fn metrics_are_served_until_told_to_stop() {
    let (scene, _feed, _risk) = scene();
    let mut server = scene
        .program(&["metrics", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut notices = BufReader::new(server.stderr.take().unwrap()).lines();
    let notice = notices.next().unwrap().unwrap();
    let address = notice
        .strip_prefix("metrics at http://")
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap()
        .to_owned();
    let get = |path: &str| {
        let mut connection = TcpStream::connect(&address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    for _ in 0..2 {
        let answer = get("/metrics");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.contains("content-type: text/plain; version=0.0.4"),
            "{head}"
        );
        assert!(check_exposition(body).len() > 50, "{body}");
    }
    assert!(get("/").starts_with("HTTP/1.1 404"));
    let taken = scene.inspect(&["metrics", "--listen", &address]);
    ends(&taken, 2);
    assert!(
        taken.errors.contains("fix: name another --listen"),
        "{}",
        taken.errors
    );
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(server.wait().unwrap().success());
}

/// Two directories of one name: no series comes twice.
#[test]
fn pipelines_of_one_name_are_told_apart() {
    let (here, _feed, _risk) = scene();
    let (there, _other_feed, _other_risk) = scene();
    let ended = here.inspect(&["metrics", "--rings", there.above.path().to_str().unwrap()]);
    ends(&ended, 0);
    let samples = check_exposition(&ended.output);
    for scene in [&here, &there] {
        let directory = scene.path("").parent().unwrap().join("demo");
        let place = format!(
            "{{pipeline=\"{}\",ring=\"books\",kind=\"board\"}}",
            directory.display()
        );
        assert_eq!(
            samples.get(&format!("arbees_published_total{place}")),
            Some(&40.0),
            "{}",
            ended.output
        );
    }
}
