//! What variables may set, and that nothing less is asked of it than of a file.

use super::*;
use crate::config::{
    Place, Variable,
    environment::{is_a_clusters, names},
};

fn variable(name: &str, value: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    }
}

impl Folder {
    fn judge_with(&self, variables: &[(&str, &str)]) -> Result<Config, Problems> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| variable(name, value))
            .collect();
        Config::parse_with(SAFE, &self.0.join("wardwire.toml"), &variables)
    }

    /// Each problem as it is printed.
    fn refused(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let problems = self.judge_with(variables).err();
        problems.map_or_else(Vec::new, |it| it.lines().collect())
    }
}

#[test]
fn a_variable_replaces_what_the_file_says_and_makes_what_it_does_not() {
    let folder = Folder::new();
    let config = folder
        .judge_with(&[
            ("WARDWIRE_LIMITS__MESSAGE", "16KiB"),
            ("WARDWIRE_LIMITS__FRAGMENTS", " 7 "),
            ("WARDWIRE_LIMITS__PING", "30s"),
            ("WARDWIRE_SERVER__LISTEN", "127.0.0.1:8444"),
            (
                "WARDWIRE_SERVER__ORIGINS",
                "https://a.example.com, https://b.example.com,",
            ),
            ("WARDWIRE_SERVER__THREADS", "3"),
            ("WARDWIRE_OUTBOUND__ALLOW", "10.0.0.0/8"),
        ])
        .unwrap_or_else(|problems| panic!("{problems}"));
    let file = &config.file;
    assert_eq!(file.limits.message.0, 16 * 1024);
    assert_eq!(file.limits.fragments, 7);
    assert_eq!(file.limits.ping.to_string(), "30s");
    assert_eq!(file.server.listen.port(), 8444);
    assert_eq!(
        file.server.origins,
        ["https://a.example.com", "https://b.example.com"]
    );
    assert_eq!(file.server.threads, Some(3));
    assert_eq!(file.outbound.allow.len(), 1);
    assert_eq!(config.overrides.len(), 7);
    let place = config.written.place("limits.message");
    assert_eq!(
        place,
        Some(&Place::Variable("WARDWIRE_LIMITS__MESSAGE".to_owned()))
    );
    assert!(matches!(
        config.written.place("server.tls.key"),
        Some(Place::Line(5, _))
    ));
    assert_eq!(config.written.place("limits.pong"), None);
}

#[test]
fn an_empty_variable_empties_a_list() {
    let folder = Folder::new();
    let problems = folder.refused(&[("WARDWIRE_SERVER__ORIGINS", "")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("$WARDWIRE_SERVER__ORIGINS: [server] has no `origins`"),
        "{problems:?}"
    );
}

#[test]
fn what_a_file_may_not_say_no_variable_may() {
    let folder = Folder::new();
    for (name, value, says) in [
        (
            "WARDWIRE_SERVER__ORIGINS",
            "https://app.example.com,*",
            "pages nobody listed",
        ),
        (
            "WARDWIRE_SERVER__ORIGINS",
            "http://app.example.com",
            "is not https",
        ),
        ("WARDWIRE_SERVER__HOSTS", "*.com", "hosts of strangers"),
        ("WARDWIRE_SERVER__TLS__KEY", "nowhere.pem", "nowhere.pem"),
        ("WARDWIRE_SERVER__DRAIN", "2h", "server.drain is \"2h\""),
        ("WARDWIRE_SERVER__THREADS", "0", "server.threads is 0"),
        (
            "WARDWIRE_SERVER__LISTEN",
            "somewhere",
            "invalid socket address",
        ),
        (
            "WARDWIRE_ADMIN__LISTEN",
            "0.0.0.0:9090",
            "not a loopback address",
        ),
        ("WARDWIRE_LIMITS__MESSAGE", "0", "limits.message is"),
        ("WARDWIRE_LIMITS__MESSAGE", "much", "is not a size"),
        (
            "WARDWIRE_LIMITS__FRAGMENTS",
            "many",
            "is not a whole number",
        ),
        ("WARDWIRE_LIMITS__FRAGMENTS", "-1", "-1"),
        (
            "WARDWIRE_LIMITS__FRAGMENTS",
            "true",
            "is not a whole number",
        ),
        ("WARDWIRE_OUTBOUND__ALLOW", "10.0.0.0/8,home", "invalid"),
        (
            "WARDWIRE_AUDIT__FILE",
            "nowhere/audit.jsonl",
            "cannot be written",
        ),
        ("WARDWIRE_AUDIT__FILE", "", "a file needs a name"),
    ] {
        let problems = folder.refused(&[(name, value)]);
        assert_eq!(problems.len(), 1, "{name}={value}: {problems:#?}");
        let (message, remedy) = problems[0].split_once("\n    ").unwrap();
        assert!(message.starts_with(&format!("${name}: ")), "{message}");
        assert!(message.contains(says), "{message}");
        assert!(!remedy.is_empty());
    }
}

#[test]
fn nothing_unsafe_is_switched_on_from_outside_the_file() {
    let folder = Folder::new();
    for name in [
        "WARDWIRE_DEVELOPMENT__ANY_ORIGIN",
        "WARDWIRE_DEVELOPMENT__WITHOUT_ISSUER",
        "WARDWIRE_DEVELOPMENT",
    ] {
        for value in ["true", "false", ""] {
            let problems = folder.refused(&[(name, value)]);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(
                problems[0].contains("cannot be set from the environment"),
                "{problems:?}"
            );
        }
    }
    assert!(!names().iter().any(|name| name.contains("DEVELOPMENT")));
}

#[test]
fn a_name_that_is_no_key_is_refused_with_the_one_that_was_meant() {
    let folder = Folder::new();
    for (name, meant) in [
        ("WARDWIRE_SERVER__LISEN", "WARDWIRE_SERVER__LISTEN?"),
        ("WARDWIRE_SERVER_LISTEN", "WARDWIRE_SERVER__LISTEN?"),
        ("WARDWIRE_LIMIT__MESSAGE", "WARDWIRE_LIMITS__MESSAGE?"),
        ("WARDWIRE_limits__message", "Names are WARDWIRE_TABLE__KEY"),
        ("WARDWIRE_LOGS", "WARDWIRE_LOG?"),
        ("WARDWIRE_ZEBRA", "Names are WARDWIRE_TABLE__KEY"),
        ("WARDWIRE_", "Names are WARDWIRE_TABLE__KEY"),
        ("WARDWIRE_SERVER__ORIGINS__0", "WARDWIRE_SERVER__ORIGINS?"),
    ] {
        let problems = folder.refused(&[(name, "1")]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!("${name}: no key has this name")),
            "{problems:?}"
        );
        assert!(problems[0].contains(meant), "{problems:?}");
    }
}

#[test]
fn a_table_is_no_value_and_one_that_stands_several_times_is_none_of_them() {
    let folder = Folder::new();
    let problems = folder.refused(&[("WARDWIRE_SERVER__TLS", "cert.pem")]);
    assert!(
        problems[0].contains("Set WARDWIRE_SERVER__TLS__CERT, WARDWIRE_SERVER__TLS__KEY"),
        "{problems:?}"
    );
    for name in [
        "WARDWIRE_ISSUER__AUDIENCE",
        "WARDWIRE_ROUTE",
        "WARDWIRE_CHANNEL__0__NAME",
    ] {
        let problems = folder.refused(&[(name, "x")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("stands several times"), "{problems:?}");
    }
}

#[test]
fn a_table_that_only_variables_made_is_whole_or_refused() {
    let folder = Folder::new();
    let text = with(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n",
        "",
    );
    let parse = |variables: &[Variable]| {
        Config::parse_with(&text, &folder.0.join("wardwire.toml"), variables)
    };
    let listen = variable("WARDWIRE_ADMIN__LISTEN", "127.0.0.1:0");
    let problems = parse(std::slice::from_ref(&listen))
        .err()
        .unwrap()
        .to_string();
    assert!(
        problems.starts_with("$WARDWIRE_ADMIN__LISTEN: `token_file` is missing"),
        "{problems}"
    );
    let token = variable("WARDWIRE_ADMIN__TOKEN_FILE", "admin.token");
    assert!(parse(&[listen, token]).is_ok());
}

#[test]
fn a_value_that_is_no_text_is_refused() {
    let folder = Folder::new();
    let variable = Variable {
        name: "WARDWIRE_SERVER__LISTEN".to_owned(),
        value: None,
    };
    let problems = Config::parse_with(SAFE, &folder.0.join("wardwire.toml"), &[variable]);
    assert!(problems.err().unwrap().to_string().contains("is not UTF-8"));
}

#[test]
fn problems_of_the_file_keep_their_lines_beside_those_of_variables() {
    let folder = Folder::new();
    let text = with("path = \"/live\"", "path = \"live\"");
    let variables = [variable("WARDWIRE_LIMITS__OUTBOX", "1")];
    let problems = Config::parse_with(&text, &folder.0.join("wardwire.toml"), &variables);
    let problems: Vec<_> = problems.err().unwrap().lines().collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("wardwire.toml:16:8: \"live\""),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("$WARDWIRE_LIMITS__OUTBOX: "),
        "{problems:?}"
    );
}

#[test]
fn a_secret_where_its_file_belongs_is_refused_and_never_shown() {
    let folder = Folder::new();
    let secret = "4b7d1f3c9a0e5826bd41c7f09e3a6d1244b7d1f3c9a0e5826bd41c7f09e3a6d1";
    let problems = folder
        .refused(&[("WARDWIRE_ADMIN__TOKEN_FILE", secret)])
        .concat();
    assert!(
        problems.contains("looks like the token itself"),
        "{problems}"
    );
    assert!(!problems.contains(&secret[..16]), "{problems}");
    let text = with(
        "token_file = \"admin.token\"",
        &format!("token_file = \"{secret}\""),
    );
    let problems = folder.problems(&text).concat();
    assert!(
        problems.contains("looks like the token itself"),
        "{problems}"
    );
    assert!(!problems.contains(&secret[..16]), "{problems}");
}

#[test]
fn what_a_cluster_tells_of_a_service_of_our_name_is_left_alone() {
    for (name, value) in [
        ("WARDWIRE_SERVICE_HOST", "10.0.0.1"),
        ("WARDWIRE_SERVICE_PORT", "8443"),
        ("WARDWIRE_SERVICE_PORT_HTTPS", "8443"),
        ("WARDWIRE_PORT", "tcp://10.0.0.1:8443"),
        ("WARDWIRE_PORT_8443_TCP", "tcp://10.0.0.1:8443"),
        ("WARDWIRE_PORT_8443_TCP_PROTO", "tcp"),
        ("WARDWIRE_PORT_8443_TCP_PORT", "8443"),
        ("WARDWIRE_PORT_8443_TCP_ADDR", "10.0.0.1"),
        ("WARDWIRE_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("WARDWIRE_ADMIN_PORT", "tcp://10.0.0.1:9090"),
        ("WARDWIRE_ADMIN_PORT_9090_TCP_ADDR", "10.0.0.1"),
    ] {
        assert!(is_a_clusters(&variable(name, value)), "{name}");
    }
    for (name, value) in [
        ("WARDWIRE_PORT", "8443"),
        ("WARDWIRE_SERVER_PORT", "8443"),
        ("WARDWIRE_SERVER__LISTEN", "tcp://0.0.0.0:443"),
        ("WARDWIRE_PORT_A_TCP", "1"),
    ] {
        assert!(!is_a_clusters(&variable(name, value)), "{name}");
    }
    assert!(
        names()
            .iter()
            .all(|name| !is_a_clusters(&variable(name, "tcp://x")))
    );
}

#[test]
fn a_variable_that_stands_twice_is_neither() {
    let folder = Folder::new();
    let problems = folder.refused(&[
        ("WARDWIRE_LIMITS__MESSAGE", "16KiB"),
        ("WARDWIRE_LIMITS__MESSAGE", "64MiB"),
    ]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("stands twice"), "{problems:?}");
}

#[test]
fn a_name_steers_no_terminal() {
    let folder = Folder::new();
    let problems = folder.refused(&[("WARDWIRE_\u{1b}[2J", "1")]).concat();
    assert!(!problems.contains('\u{1b}'), "{problems:?}");
    assert!(problems.contains("u{1b}"), "{problems:?}");
}

#[test]
fn a_key_where_its_file_belongs_is_refused_and_never_shown() {
    let folder = Folder::new();
    let key = ["-----BEGIN", "MIGHAgEAMBMGByqGSM49"].join(" PRIVATE KEY-----\n");
    let problems = folder.refused(&[("WARDWIRE_SERVER__TLS__KEY", &*key)]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("$WARDWIRE_SERVER__TLS__KEY: it is no file's name"),
        "{problems:?}"
    );
    let text = with("key = \"key.pem\"", &format!("key = {key:?}"));
    let in_file = folder.problems(&text).concat();
    assert!(in_file.contains("it is no file's name"), "{in_file}");
    assert!(!(problems.concat() + &in_file).contains("MIGH"));
}
