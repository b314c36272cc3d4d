use std::time::Duration;

use serde_json::value::RawValue;

use super::*;
use crate::{
    engine::{Content, Log as _, memory::Ids},
    rights::History,
};

fn common(most: usize) -> Arc<Common> {
    Arc::new(Common {
        used: Default::default(),
        most,
        ids: Ids::default(),
    })
}

fn log(common: &Arc<Common>, size: usize) -> Log {
    let end = Position {
        epoch: 7,
        offset: 0,
    };
    let history = History {
        size,
        ttl: Duration::from_secs(60),
    };
    let keep = Keep {
        history,
        ..Keep::default()
    };
    Log::new(end, keep, common.clone())
}

fn append(log: &Log, text: &str, now: Instant) {
    put(log, text, None, now);
}

fn put(log: &Log, text: &str, key: Option<&str>, now: Instant) {
    let publication = Publication {
        content: Content::Data(RawValue::from_string(format!("\"{text}\"")).unwrap()),
        from: None,
        id: None,
        key: key.map(Into::into),
        except: None,
    };
    let entry = Entry {
        publication: Arc::new(publication),
        once: None,
    };
    log.append(&[entry], now).now().unwrap().unwrap();
}

/// What came after an offset, if all of it is there.
fn after(log: &Log, offset: u64, now: Instant) -> Option<String> {
    let range = Range::After(Position { epoch: 7, offset });
    let limit = Limit {
        count: 1000,
        bytes: usize::MAX,
    };
    let page = log.read(range, limit, now).now().unwrap().unwrap();
    let each = page.publications.iter();
    let data = each.map(|it| it.publication.content.as_str().trim_matches('"'));
    let whole: String = data.collect();
    (page.complete && !page.more).then_some(whole)
}

#[test]
fn what_is_kept_ends_with_its_time() {
    let (now, common) = (Instant::now(), common(1000));
    let log = log(&common, 3);
    append(&log, "a", now);
    let later = now + Duration::from_secs(60);
    assert_eq!(after(&log, 0, later), None);
    assert_eq!(
        after(&log, 1, later).as_deref(),
        Some(""),
        "nothing was missed"
    );
    assert!(!log.holds(later));
    assert_eq!((log.state.lock().bytes, common.used()), (0, 0));
}

#[test]
fn without_history_only_the_count_goes_on() {
    let now = Instant::now();
    let log = log(&common(1000), 0);
    append(&log, "a", now);
    assert_eq!(after(&log, 1, now).as_deref(), Some(""));
    assert_eq!(after(&log, 0, now), None);
}

#[test]
fn one_channel_keeps_no_more_than_its_bytes() {
    let (now, common) = (Instant::now(), common(usize::MAX));
    let log = log(&common, usize::MAX);
    let large = "x".repeat(BYTES / 4);
    for _ in 0..10 {
        append(&log, &large, now);
    }
    let state = log.state.lock();
    assert_eq!(state.kept.len(), 3);
    assert!(state.bytes <= BYTES && state.bytes == common.used());
}

#[test]
fn a_channel_that_grows_beyond_what_all_may_keep_pays_itself() {
    let (now, common) = (Instant::now(), common(2000));
    let (modest, greedy) = (log(&common, 100), log(&common, 100));
    append(&modest, "a", now);
    for _ in 0..50 {
        append(&greedy, &"x".repeat(100), now);
        assert!(common.used() <= 2000);
    }
    append(&greedy, &"y".repeat(4000), now);
    let alone = after(&greedy, 50, now);
    assert_eq!(alone, None, "too large for everybody together");
    assert_eq!(after(&greedy, 51, now).as_deref(), Some(""));
    assert_eq!(after(&modest, 0, now).as_deref(), Some("a"));
    drop((modest, greedy));
    assert_eq!(common.used(), 0);
}

#[test]
fn what_others_keep_too_much_costs_nobody_who_only_reads() {
    let (now, common) = (Instant::now(), common(2000));
    let modest = log(&common, 100);
    append(&modest, "a", now);
    // Another is between taking more than there is and paying for it.
    common.take(5000);
    assert!(modest.holds(now));
    assert_eq!(after(&modest, 0, now).as_deref(), Some("a"));
    common.give_back(5000);
}

#[test]
fn the_values_of_one_channel_are_no_more_than_its_bytes() {
    let (now, common) = (Instant::now(), common(usize::MAX));
    let log = log(&common, 0);
    let latest = engine::Latest::Keys;
    let keep = Keep {
        latest,
        ..Keep::default()
    };
    log.keep(keep, now);
    let large = "x".repeat(BYTES / 4);
    for key in 0..10 {
        put(&log, &large, Some(&key.to_string()), now);
    }
    let values = log.latest(now).now().unwrap().unwrap().values;
    let keys = values.iter().map(|it| it.publication.key.as_deref());
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [Some("7"), Some("8"), Some("9")],
        "the newest"
    );
    assert!(common.used() <= BYTES);
    let before = common.used();
    let key = "k".repeat(1000);
    put(&log, "", Some(&key), now);
    assert!(
        common.used() - before > 2 * key.len(),
        "a key counts as often as it is kept"
    );
    put(&log, "small", Some("9"), now);
    log.keep(Keep::default(), now);
    assert_eq!(common.used(), 0);
}
