//! Segments: what is closed, what is deleted, and what a crash in between leaves.

use super::*;

/// A log whose segments hold a few lines each.
fn small(path: &Path, keep: Option<usize>) -> Settings {
    Settings {
        keep: Keep {
            size: Some(2000),
            age: None,
            segments: keep,
        },
        ..Settings::of(path.to_owned())
    }
}

fn record(audit: &Audit, count: usize) {
    for _ in 0..count {
        audit.record(Event::new("start"));
    }
    audit.flush(LONG);
}

fn closed(path: &Path) -> Vec<(u64, PathBuf)> {
    segment::Place::of(path).unwrap().segments().unwrap()
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_segment_is_named_by_its_first_line_which_joins_on_the_last_of_the_one_before() {
    let path = folder("segments");
    let audit = opened(small(&path, None));
    record(&audit, 40);
    audit.close(LONG);
    let closed = closed(&path);
    assert!(closed.len() > 3, "{closed:?}");
    let files = closed.iter().map(|(_, path)| path).chain([&path]);
    let mut before: Option<serde_json::Value> = None;
    for file in files {
        let lines = lines(file);
        if let Some(before) = before {
            let first = &lines[0];
            assert_eq!(first["event"], "segment");
            assert_eq!(first["prev"], before["hash"]);
            assert_eq!(before["event"], "head");
            assert_eq!(before["reason"], "rotation");
            let seq = first["seq"].as_u64().unwrap();
            assert_eq!(first["segment"], format!("audit.{seq:020}.jsonl"));
        }
        before = lines.last().cloned();
    }
    assert_eq!(before.unwrap()["reason"], "stop");
    let (lines, torn) = whole(&path);
    assert!(lines > 40 && torn == 0);
    let (of_folder, _) = whole(path.parent().unwrap());
    assert_eq!(of_folder, lines);
}

#[test]
fn an_old_segment_is_closed_though_it_is_small() {
    let path = folder("age");
    let mut settings = small(&path, None);
    settings.keep = Keep {
        age: Some(Duration::ZERO),
        ..Keep::default()
    };
    let audit = opened(settings);
    audit.record(Event::new("start"));
    audit.flush(LONG);
    // The second question is read in another turn than the first was answered in.
    audit.flush(LONG);
    audit.close(LONG);
    assert_eq!(closed(&path).len(), 1, "one that is not used is left alone");
    whole(&path);
}

#[test]
fn the_age_of_a_segment_outlives_a_restart() {
    let path = folder("age-restart");
    drop(write(&path, 1));
    settled(&path);
    let text = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let (log, _) = Log::open(&path).unwrap();
    assert_eq!(time::write(log.began).as_str(), first["time"]);
}

#[test]
fn no_more_segments_are_kept_than_are_configured_and_a_deletion_is_written_down() {
    let path = folder("keep");
    let audit = opened(small(&path, Some(2)));
    record(&audit, 60);
    audit.close(LONG);
    let closed = closed(&path);
    assert_eq!(closed.len(), 2);
    let Verdict::Whole(summary) = judged(&path, &Demands::default()) else {
        panic!()
    };
    assert_eq!(summary.first, closed[0].0);
    assert!(summary.deleted_by.is_some());
}

#[test]
fn a_segment_that_nothing_says_was_deleted_is_missed() {
    let path = folder("missing");
    let audit = opened(small(&path, None));
    record(&audit, 40);
    audit.close(LONG);
    let closed = closed(&path);
    let why = |gone: &Path| {
        let kept = gone.with_extension("kept");
        std::fs::rename(gone, &kept).unwrap();
        let verdict = judged(&path, &Demands::default());
        std::fs::rename(&kept, gone).unwrap();
        let Verdict::Broken(fault) = verdict else {
            panic!("{verdict:?}")
        };
        (fault.file, fault.line, fault.why)
    };
    let (file, line, said) = why(&closed[0].1);
    assert_eq!((&file, line), (&closed[1].1, 1));
    assert!(said.contains("was deleted"), "{said}");
    let (file, line, said) = why(&closed[1].1);
    assert_eq!((&file, line), (&closed[2].1, 1));
    let (from, to) = (closed[1].0, closed[2].0 - 1);
    assert!(
        said.contains(&format!("lines {from} to {to} is missing")),
        "{said}"
    );
    let (_, _, said) = why(&path);
    assert!(said.contains("a segment is missing behind it"), "{said}");
    whole(&path);
    let only = Demands {
        begins: Some(closed[1].0),
        ..Demands::default()
    };
    let files = Files::find(&[closed[1].1.clone(), closed[2].1.clone()]).unwrap();
    assert!(matches!(verify(&files, &only).unwrap(), Verdict::Whole(_)));
}

#[test]
fn a_crash_at_any_step_of_a_rotation_is_carried_on_from() {
    let path = folder("steps");
    let audit = opened(small(&path, None));
    record(&audit, 40);
    drop(audit);
    settled(&path);
    let kept = std::fs::read(&path).unwrap();
    let next = |name: &str| {
        let audit = opened(small(&path, None));
        record(&audit, 1);
        drop(audit);
        settled(&path);
        let (_, torn) = whole(&path);
        let lines = lines_behind_torn(&path);
        assert!(lines.iter().any(|it| it["event"] == "segment"), "{name}");
        torn
    };
    // Its last head written, and not renamed yet; renamed, and the next one not made; made and empty; its first line torn.
    let (seq, last) = closed(&path).pop().unwrap();
    assert!(seq > 0);
    std::fs::rename(last, &path).unwrap();
    let Verdict::Broken(fault) = judged(&path, &Demands::default()) else {
        panic!("it may as well be a segment that was taken away")
    };
    assert!(fault.why.contains("not started since"), "{}", fault.why);
    assert_eq!(next("headed"), 0);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(next("moved"), 0);
    std::fs::write(&path, b"").unwrap();
    assert_eq!(next("made"), 0);
    std::fs::write(&path, &kept[..30]).unwrap();
    assert_eq!(next("torn"), 1);
}

#[test]
fn a_crash_between_a_deletion_and_what_it_deletes_is_made_up_for() {
    let path = folder("half-deleted");
    let audit = opened(small(&path, None));
    record(&audit, 40);
    audit.close(LONG);
    settled(&path);
    let before: Vec<_> = closed(&path)
        .into_iter()
        .map(|(_, file)| (std::fs::read(&file).unwrap(), file))
        .collect();
    let rotate = || {
        let audit = opened(small(&path, Some(2)));
        record(&audit, 10);
        audit.close(LONG);
        settled(&path);
        assert_eq!(closed(&path).len(), 2);
        whole(&path);
    };
    rotate();
    // The oldest goes first, so what is left of them is any of their ends.
    let gone: Vec<_> = before.iter().filter(|(_, file)| !file.exists()).collect();
    assert!(gone.len() > 2);
    for (bytes, file) in gone.iter().rev() {
        std::fs::write(file, bytes).unwrap();
        whole(&path);
    }
    rotate();
}

fn lines_behind_torn(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn a_segment_that_cannot_be_begun_closes_the_door_and_loses_nothing() {
    let path = folder("blocked");
    let audit = opened(small(&path, None));
    record(&audit, 1);
    // The name that the first segment is due.
    let due = path.with_file_name(format!("audit.{:020}.jsonl", 0));
    std::fs::create_dir(&due).unwrap();
    for _ in 0..40 {
        audit.record(Event::new("start"));
    }
    until(|| !audit.is_healthy());
    std::fs::remove_dir(&due).unwrap();
    audit.close(LONG);
    assert!(closed(&path).len() > 2);
    let (lines, _) = whole(&path);
    assert!(lines > 41);
}

#[test]
fn what_is_no_log_is_not_written_on() {
    let path = folder("foreign");
    std::fs::write(&path, "x".repeat(100_000)).unwrap();
    let error = Audit::open(Settings::of(path.clone())).err().unwrap();
    assert!(error.to_string().contains("audit verify"), "{error}");
}

#[test]
fn what_is_more_than_a_crash_leaves_is_neither_owned_up_to_nor_touched() {
    let path = folder("much");
    drop(write(&path, 1));
    settled(&path);
    let log = std::fs::read_to_string(&path).unwrap();
    for more in [16 * 1024, 100_000] {
        let text = format!("{log}{}", "x".repeat(more));
        std::fs::write(&path, &text).unwrap();
        let error = Audit::open(Settings::of(path.clone())).err().unwrap();
        assert!(error.to_string().contains("audit verify"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    // The most that may stand there is taken by both.
    let text = format!("{log}{}", "x".repeat(16 * 1024 - 1));
    std::fs::write(&path, &text).unwrap();
    drop(write(&path, 1));
    assert_eq!(whole(&path), (3, 1));
}

#[test]
fn a_closed_segment_that_lost_its_end_is_not_carried_on_from() {
    let path = folder("closed-cut");
    let audit = opened(small(&path, None));
    record(&audit, 40);
    drop(audit);
    settled(&path);
    std::fs::remove_file(&path).unwrap();
    let (_, last) = closed(&path).pop().unwrap();
    let text = std::fs::read_to_string(&last).unwrap();
    for cut in [1, 20] {
        std::fs::write(&last, &text[..text.len() - cut]).unwrap();
        let error = Audit::open(small(&path, None)).err().unwrap();
        assert!(error.to_string().contains("audit verify"), "{error}");
    }
}

#[test]
fn a_log_by_two_names_is_not_written_twice() {
    let path = folder("link");
    let _audit = write(&path, 1);
    let link = path.with_file_name("link.jsonl");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = Audit::open(Settings::of(link)).err().unwrap();
    assert!(error.to_string().contains("symbolic link"), "{error}");
}

#[test]
fn a_segment_from_the_future_grows_old_from_now() {
    let path = folder("clock");
    drop(write(&path, 1));
    settled(&path);
    let (mut log, _) = Log::open(&path).unwrap();
    log.began = SystemTime::now() + Duration::from_secs(1_000_000);
    assert!(!log.is_older(Duration::from_secs(60)));
    assert!(log.is_older(Duration::ZERO));
    assert!(log.began <= SystemTime::now());
}

#[test]
fn what_the_queue_could_not_take_is_owned_up_to() {
    let path = folder("lost");
    // Few segments: each is put on disk before the next is begun.
    let mut settings = small(&path, None);
    settings.keep.size = Some(200_000);
    let audit = opened(settings);
    record(&audit, 1);
    // The name that the first segment is due.
    let due = path.with_file_name(format!("audit.{:020}.jsonl", 0));
    std::fs::create_dir(&due).unwrap();
    let start = |count| (0..count).for_each(|_| audit.record(Event::new("start")));
    let (before, behind) = (2000, 20_000);
    start(before);
    // It stands before a segment that it cannot begin, and takes no more.
    until(|| !audit.is_healthy());
    start(behind);
    assert!(!audit.is_healthy());
    std::fs::remove_dir(&due).unwrap();
    audit.close(LONG);
    whole(&path);
    let closed = closed(&path).into_iter().map(|(_, path)| path);
    let lines: Vec<_> = closed.chain([path]).flat_map(|it| lines(&it)).collect();
    let of = |name| lines.iter().filter(move |it| it["event"] == name);
    let lost: u64 = of("lost").map(|it| it["count"].as_u64().unwrap()).sum();
    assert!(lost > 0);
    assert_eq!(of("start").count() as u64 + lost, 1 + before + behind);
}
