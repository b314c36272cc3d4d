//! `[limits]`: none that let nothing through, or everything.

use super::*;

#[test]
fn that_let_nothing_through() {
    let folder = Folder::new();
    for key in [
        "message",
        "fragments",
        "outbox",
        "connections_per_ip",
        "connections_per_subject",
        "unadmitted",
        "sessions",
        "subscriptions",
        "channels",
    ] {
        let text = and(&format!("[limits]\nchannels = 1000\n{key} = 0"));
        let text = match key {
            "channels" => and("[limits]\nchannels = 0"),
            _ => text,
        };
        let problems = folder.problems(&text);
        assert!(
            problems[0].contains(&format!("limits.{key} is 0")),
            "{problems:?}"
        );
        let line = text.lines().count();
        assert!(
            problems[0].starts_with(&format!("{line}: ")),
            "{problems:?}"
        );
    }
    for key in ["message_time", "handshake", "ping", "pong"] {
        let text = and(&format!("[limits]\n{key} = \"0s\""));
        one(
            &folder,
            &text,
            &format!("{key} ="),
            &format!("limits.{key} is \"0s\""),
        );
    }
}

#[test]
fn that_are_none() {
    let folder = Folder::new();
    for limit in [
        "outbox = \"1025MiB\"",
        "fragments = 4294967295",
        "connections_per_ip = 4294967295",
        "subscriptions = 9007199254740991",
        "channels = 9007199254740991",
        "handshake = \"61m\"",
        "pong = \"20000d\"",
    ] {
        let key = limit.split_once(" =").unwrap().0;
        let text = and(&format!("[limits]\n{limit}"));
        one(&folder, &text, limit, &format!("limits.{key} is"));
    }
    one(
        &folder,
        &with("tls = {", "drain = \"2h\"\ntls = {"),
        "drain =",
        "server.drain is",
    );
    for threads in [0, 1025] {
        let line = format!("threads = {threads}");
        let text = with("tls = {", &format!("{line}\ntls = {{"));
        one(&folder, &text, &line, "server.threads is");
    }
}

#[test]
fn of_a_route_are_judged_too() {
    let folder = Folder::new();
    for key in ["message", "fragments"] {
        let text = with("\"/live\"", &format!("\"/live\"\nlimits = {{ {key} = 0 }}"));
        one(
            &folder,
            &text,
            "limits =",
            &format!("a route's limits.{key} is 0"),
        );
    }
    let text = with(
        "\"/live\"",
        "\"/live\"\nlimits = { messages_per_second = 0 }",
    );
    assert_eq!(folder.problems(&text), [""; 0], "0 is no limit");
}
