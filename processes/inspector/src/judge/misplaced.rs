//! Which rings are two files under one name, by the words of the processes that are attached to them.
//!
//! Neither file is wrong then, and only one of them may be seen from here.

use super::{Judgement, Subject, Verdict};
use pipeline::attendance::{End, Misplaced};
use std::{collections::BTreeMap, path::Path};

/// What the processes of a pipeline said of the files that they are attached to.
pub(crate) struct Words {
    pub(crate) pipeline: String,
    pub(crate) ends: Vec<End>,
    /// When they were read, ms since the Unix epoch.
    pub(crate) unix_ms: i64,
}

/// Mount namespaces and directories of both ends.
type Places<'a> = [(&'a str, &'a Path); 2];

/// One judgement for each ring or board of which two processes have different files. Those of one pair of places have one cause.
pub(super) fn judge(words: &Words) -> Vec<Judgement> {
    let mut ends: Vec<&End> = words.ends.iter().collect();
    ends.sort_by_key(|end| end.field());
    let mut found: BTreeMap<&str, Misplaced<'_>> = BTreeMap::new();
    for (index, one) in ends.iter().enumerate() {
        let mut rest = ends[index + 1..].iter();
        if let Some(two) = rest.find_map(|other| one.contradicts(other, words.unix_ms)) {
            found.entry(&one.ring).or_insert(two);
        }
    }
    let mut causes: BTreeMap<Places<'_>, String> = BTreeMap::new();
    let mut judged = Vec::new();
    for (ring, two) in found {
        let mut one = judgement(&words.pipeline, ring, two);
        let mut places = [two.one, two.other].map(|end| {
            let word = &end.word;
            (word.mounts.as_str(), word.directory.as_path())
        });
        places.sort_unstable();
        match causes.get(&places) {
            Some(cause) => {
                one.next = format!("nothing here: see {cause}");
                one.cause = Some(cause.clone());
            }
            None => {
                causes.insert(places, one.label());
            }
        }
        judged.push(one);
    }
    judged
}

fn judgement(pipeline: &str, ring: &str, two: Misplaced<'_>) -> Judgement {
    let (subject, name) = match ring.strip_suffix(".board") {
        Some(board) => (Subject::Board, board),
        None => (Subject::Ring, ring),
    };
    Judgement {
        pipeline: pipeline.to_owned(),
        subject,
        name: name.to_owned(),
        verdict: Verdict::Misplaced,
        trouble: true,
        culprit: None,
        evidence: format!(
            "two files under one name, nothing passes between them: {}; {}",
            two.one, two.other
        ),
        next: two.fix().to_owned(),
        since_s: None,
        full_in_s: None,
        cause: None,
        vitals: None,
    }
}

/// Makes a process that has never come here a consequence of the ring of which it has another file.
pub(super) fn explain_absences(words: &[Words], misplaced: &[Judgement], judged: &mut [Judgement]) {
    let absent = judged
        .iter_mut()
        .filter(|one| one.subject == Subject::Process && one.verdict == Verdict::Missing);
    for process in absent {
        let speaks = |ring: &&Judgement| {
            let own = words
                .iter()
                .filter(|words| words.pipeline == process.pipeline);
            own.flat_map(|words| &words.ends).any(|end| {
                let name = match ring.subject {
                    Subject::Board => format!("{}.board", ring.name),
                    _ => ring.name.clone(),
                };
                end.word.process == process.name && end.ring == name
            })
        };
        let same = misplaced
            .iter()
            .filter(|ring| ring.pipeline == process.pipeline);
        if let Some(ring) = same.clone().find(speaks) {
            process.verdict = Verdict::Misplaced;
            process.evidence = format!("it runs, on other files: {}: {}", ring.name, ring.evidence);
            process.next = format!("nothing here: see {}", ring.origin());
            process.cause = Some(ring.origin());
        }
    }
}
