//! The configuration as an operator meets it: variables, credentials, explanations, completions and the manual.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::harness::{Handshake, Server, Setup, now, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_wardwire");

/// A folder with a configuration that is taken.
fn configured() -> Setup {
    let setup = Setup::new();
    fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    secret(&setup.folder.join("admin.token"), &"t".repeat(32));
    setup
}

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// What a command that succeeds says.
#[track_caller]
fn said(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(folder, arguments, variables);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that fails complains of.
#[track_caller]
fn complaint(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(folder, arguments, variables);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_server_obeys_its_variables_and_says_so() {
    let setup = Setup::new().limits("message = \"64KiB\"\nconnections_per_ip = 10000\n");
    let server = setup.environment("WARDWIRE_LIMITS__MESSAGE", "100").start();
    let mut ws = server.open(Handshake::new("/echo"));
    ws.text(&"x".repeat(101));
    ws.closes(1009, "size");
    let log = fs::read_to_string(server.folder.join("server.log")).unwrap();
    assert!(
        log.contains("set from the environment") && log.contains("WARDWIRE_LIMITS__MESSAGE"),
        "{log}"
    );
}

#[test]
fn a_variable_with_a_typing_error_stops_the_start() {
    let setup = configured();
    for command in ["check", "serve"] {
        let text = complaint(
            &setup.folder,
            &[command],
            &[("WARDWIRE_SERVER__LISEN", "127.0.0.1:0")],
        );
        assert!(
            text.contains("$WARDWIRE_SERVER__LISEN: no key has this name"),
            "{text}"
        );
        assert!(
            text.contains("Did you mean WARDWIRE_SERVER__LISTEN?"),
            "{text}"
        );
    }
}

#[test]
fn check_names_the_keys_that_variables_set() {
    let setup = configured();
    let variables = [
        ("WARDWIRE_LIMITS__PING", "30s"),
        ("WARDWIRE_SERVICE_HOST", "10.0.0.1"),
        ("WARDWIRE_LOG", "debug"),
    ];
    let text = said(&setup.folder, &["check"], &variables);
    assert!(
        text.contains("limits.ping comes from the environment: WARDWIRE_LIMITS__PING"),
        "{text}"
    );
    assert!(
        !text.contains("SERVICE_HOST") && !text.contains("WARDWIRE_LOG"),
        "{text}"
    );
}

#[test]
fn a_credential_of_systemd_is_taken_as_it_comes() {
    let setup = configured();
    let credentials = setup.folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    secret(&credentials.join("admin-token"), &"c".repeat(32));
    let text = setup
        .config()
        .replace("\"admin.token\"", "\"credential:admin-token\"");
    fs::write(setup.folder.join("wardwire.toml"), text).unwrap();
    let folder = credentials.to_str().unwrap();
    let mode = |mode| {
        fs::set_permissions(
            credentials.join("admin-token"),
            fs::Permissions::from_mode(mode),
        )
        .unwrap()
    };
    // 0440 is what an access control list looks like.
    for good in [0o400, 0o440, 0o600] {
        mode(good);
        said(
            &setup.folder,
            &["check"],
            &[("CREDENTIALS_DIRECTORY", folder)],
        );
    }
    for bad in [0o444, 0o640, 0o460, 0o404] {
        mode(bad);
        let text = complaint(
            &setup.folder,
            &["check"],
            &[("CREDENTIALS_DIRECTORY", folder)],
        );
        assert!(
            text.contains("can be read or written by others"),
            "{bad:o}: {text}"
        );
    }
    mode(0o440);
    for (variable, folder) in [
        ("CREDENTIALS_DIRECTORY", "credentials"),
        ("UNRELATED", folder),
    ] {
        let text = complaint(&setup.folder, &["check"], &[(variable, folder)]);
        assert!(
            text.contains("there is no $CREDENTIALS_DIRECTORY"),
            "{text}"
        );
        assert!(text.contains("LoadCredential="), "{text}");
    }
    // Elsewhere 0440 is a group that can read.
    let text = setup
        .config()
        .replace("\"admin.token\"", "\"credentials/admin-token\"");
    fs::write(setup.folder.join("wardwire.toml"), text).unwrap();
    // Nor does a folder of credentials make one of what stands below it.
    let above = setup.folder.to_str().unwrap();
    let config = setup.folder.join("wardwire.toml");
    for variables in [&[][..], &[("CREDENTIALS_DIRECTORY", above)]] {
        let arguments = ["check", "--config", config.to_str().unwrap()];
        let text = complaint(&setup.folder, &arguments, variables);
        assert!(text.contains("can be read or written by others"), "{text}");
    }
}

#[test]
fn variables_that_are_no_text_stop_the_start() {
    let setup = configured();
    for (name, value, says) in [
        (
            &b"WARDWIRE_AUDIT__FILE"[..],
            &b"audit\xff.jsonl"[..],
            "is not UTF-8",
        ),
        (b"WARDWIRE_AUDIT__\xffILE", b"audit.jsonl", "no key has"),
    ] {
        let output = Command::new(BINARY)
            .arg("check")
            .env(OsStr::from_bytes(name), OsStr::from_bytes(value))
            .current_dir(&setup.folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("$WARDWIRE_AUDIT__"), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_configuration_without_end_is_refused() {
    let text = complaint(Path::new("/"), &["check", "--config", "/dev/zero"], &[]);
    assert!(text.contains("no regular file"), "{text}");
    let setup = configured();
    let large = fs::File::create(setup.folder.join("large.toml")).unwrap();
    large.set_len(4 * 1024 * 1024 + 1).unwrap();
    let check = ["check", "--config", "large.toml"];
    let text = complaint(&setup.folder, &check, &[]);
    assert!(text.contains("larger than 4 MiB"), "{text}");
}

#[test]
fn no_secret_is_explained() {
    let setup = configured();
    let token = "f00dfeedf00dfeedf00dfeedf00dfeed";
    secret(&setup.folder.join("other.token"), token);
    let text = setup.config().replace(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\njwks_url = \"https://id.test/jwks?key=hush\"",
    );
    let text = text
        .lines()
        .filter(|line| !line.starts_with("jwks_file"))
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(setup.folder.join("wardwire.toml"), text).unwrap();
    let variables = [
        ("WARDWIRE_ADMIN__TOKEN_FILE", "other.token"),
        ("WARDWIRE_LOG", "debug"),
    ];
    for arguments in [
        &["check"][..],
        &["check", "--explain"],
        &["check", "--explain", "--claims", r#"{"sub":"alice"}"#],
    ] {
        let output = run(&setup.folder, arguments, &variables);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{text}");
        for hidden in [token, "hush", "PRIVATE KEY"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}

#[test]
fn the_admin_listener_takes_the_token_of_a_credential() {
    let setup = Setup::new();
    let credentials = setup.folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    // The harness shows this token.
    secret(
        &credentials.join("admin-token"),
        "0123456789abcdef0123456789abcdef",
    );
    let server = setup
        .environment("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())
        .environment("WARDWIRE_ADMIN__TOKEN_FILE", "credential:admin-token")
        .start();
    assert_eq!(server.admin("GET", "/metrics", "").status, 200);
}

#[test]
fn check_explains_where_everything_came_from() {
    let setup = configured();
    let text = said(
        &setup.folder,
        &["check", "--explain"],
        &[("WARDWIRE_LIMITS__PING", "30s")],
    );
    for line in [
        "127.0.0.1:0, TLS 1.2 and 1.3 only (wardwire.toml:2)",
        "\"https://id.test\", for the audience \"wardwire\"",
        "/mfa (wardwire.toml:",
        "whoever is signed in with acr \"mfa\", within 1h of the sign-in; without a credential it is 401",
        "/echo is open to whoever looks at an allowed page, signed in or not.",
        "follow: whoever's claim rooms contains \"{room}\"",
        "= 30s ($WARDWIRE_LIMITS__PING)",
        "= 20s (default)",
        "= 10000 (wardwire.toml:",
        "messages_per_second = 0 here (wardwire.toml:",
        "identity_bytes          = 16MiB (default)",
        "identity_messages       = 2000 (default)",
        "limits.ping, by WARDWIRE_LIMITS__PING",
        "Every user of every issuer may publish to free/{any}.",
        "Everything else is refused.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn check_tells_who_has_users_from_who_only_grants() {
    let mut setup = configured();
    let grants = "[[issuer]]\nissuer = \"https://app.test\"\nsigns = [\"grants\"]\naudience = \"wardwire\"\n\
                  jwks_file = \"jwks.json\"\n";
    setup.issuers = format!("{grants}{}", setup.issuers);
    fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    let text = said(&setup.folder, &["check"], &[]);
    let line = "trusts \"https://app.test\" for the audience \"wardwire\", for grants alone";
    assert!(text.contains(line), "{text}");
    let text = said(&setup.folder, &["check", "--explain"], &[]);
    let line = "has no users: its grants let a user into one channel";
    assert!(text.contains(line), "{text}");
    // Claims without an issuer are those of one that has users.
    let asked = ["check", "--explain", "--claims", r#"{"sub":"alice"}"#];
    let text = said(&setup.folder, &asked, &[]);
    assert!(text.contains("\"alice\" of \"https://id.test\""), "{text}");
}

#[test]
fn check_says_what_a_user_with_these_claims_may_do() {
    let setup = configured();
    let ask = |claims: &str| {
        said(
            &setup.folder,
            &["check", "--explain", "--claims", claims],
            &[],
        )
    };
    let text = ask(r#"{"sub":"alice","rooms":["lobby"]}"#);
    for line in [
        "\"alice\" of \"https://id.test\", if its signature holds, which was not asked",
        "/live: may enter",
        "/mfa: refused with 401: insufficient-authentication acr",
        "chat/lobby: may follow, publish and read what is kept (wardwire.toml:",
        "chat/{room}: nothing",
        "news: may follow and read what is kept (",
        "free/{any}: may follow, publish and read what is kept",
        "every other channel: nothing",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let text = ask(r#"{"sub":"alice","exp":1}"#);
    assert!(
        text.contains("Such a token is refused with 401: token-expired"),
        "{text}"
    );
    let text = ask(r#"{"sub":"alice","iss":"https://evil.test"}"#);
    assert!(text.contains("refused with 401: token-issuer"), "{text}");
    let text = ask(r#"{"sub":"alice","aud":"other"}"#);
    assert!(text.contains("refused with 401: token-audience"), "{text}");
    let text = complaint(
        &setup.folder,
        &["check", "--explain", "--claims", "alice"],
        &[],
    );
    assert!(text.contains("no claims in JSON"), "{text}");
}

/// Each verdict has its reason and its line, and no claim's own words are shown that the rules do not name.
#[test]
fn check_explains_every_verdict_in_a_channel() {
    let mut setup = configured();
    setup.rest += "[[channel]]\nname = \"chat/vip\"\n\
        subscribe = { all = [{ scope = \"vip\" }, { claim = \"rooms\", contains = \"vip\" }] }\n\
        publish = \"granted\"\nhistory = { size = 1, ttl = \"1h\", read = \"server\" }\n";
    fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    let ask = |claims: &str, channel: &str| {
        let arguments = ["check", "--claims", claims, "--channel", channel];
        said(&setup.folder, &arguments, &[])
    };
    let claims = r#"{"sub":"alice","rooms":["secret-room"],"scope":"vip","channels":{"chat/vip":["publish"]}}"#;
    let text = ask(claims, "chat/vip");
    for line in [
        "chat/vip: may publish (wardwire.toml:",
        "subscribe: no: all of these have to hold (wardwire.toml:",
        "yes: the scope \"vip\" is there",
        "no: the claim `rooms` does not contain \"vip\": it is an array with 1 string among 1",
        "publish: yes: the claim `channels` grants \"publish\" here",
        "history: no: only the application's backend may",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("secret-room"), "{text}");
    let text = ask(
        r#"{"sub":"alice","channels":{"chat/*":["publish"]}}"#,
        "chat/vip",
    );
    let says = "publish: no: the claim `channels` grants nothing: \"chat/*\" is not a channel name";
    assert!(text.contains(says), "{text}");
    let text = ask(claims, "nowhere");
    assert!(
        text.contains("nowhere: nothing, no [[channel]] fits"),
        "{text}"
    );
}

/// Of claims without `exp` it takes one for granted that the issuer could sign.
#[test]
fn check_supposes_no_token_that_would_hold_for_too_long() {
    let mut setup = Setup::new();
    setup.issuers += "max_token_lifetime = \"5m\"\n";
    fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    secret(&setup.folder.join("admin.token"), &"t".repeat(32));
    let issued = json!({ "sub": "alice", "iat": now() - 60 }).to_string();
    for claims in [r#"{"sub":"alice"}"#, &issued] {
        let arguments = ["check", "--explain", "--claims", claims];
        let text = said(&setup.folder, &arguments, &[]);
        assert!(text.contains("/live: may enter"), "{text}");
    }
}

/// The answer on paper and the answer at the door are the same, channel by channel.
#[test]
fn what_check_says_of_a_token_is_what_the_server_does() {
    let server = Server::start();
    let token = server
        .issuer
        .token("alice")
        .claim("rooms", vec!["lobby", "den"]);
    let token = token.mint();
    fs::write(server.folder.join("alice.jwt"), &token).unwrap();
    let channels = [
        "chat/lobby",
        "chat/den",
        "chat/vip",
        "news",
        "free/x",
        "else",
    ];
    let mut arguments = vec!["check", "--explain", "--as", "alice.jwt"];
    for channel in channels {
        arguments.extend(["--channel", channel]);
    }
    let text = said(&server.folder, &arguments, &[]);
    assert!(!text.contains(&token[..40]), "a token is never shown");
    let mut ws = server.open(Handshake::new("/native").bearer(&token));
    for channel in channels {
        let line = text
            .lines()
            .find(|line| line.trim().starts_with(&format!("{channel}:")));
        let line = line.unwrap_or_else(|| panic!("{channel}: {text}"));
        let follow = ws.call("subscribe", json!({ "channel": channel }));
        let publish = ws.call("publish", json!({ "channel": channel, "data": 1 }));
        let [follow, publish] = [follow, publish].map(|it| it.get("error").is_none());
        let says = ["follow", "publish"].map(|word| line.contains(word));
        assert_eq!(says, [follow, publish], "{channel}: {line}");
    }
}

#[test]
fn the_schema_is_printed_whole() {
    let text = said(Path::new("/"), &["schema"], &[]);
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

/// Completes a line as bash would.
fn completed(script: &Path, words: &[&str]) -> Vec<String> {
    let line = words.join(" ");
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT={}; \
         function=$(complete -p wardwire | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
         \"$function\" wardwire \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        quoted.join(" "),
        words.len() - 1,
        line.len(),
    );
    let output = Command::new("bash").args(["-c", &ask]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let replies = String::from_utf8(output.stdout).unwrap();
    replies.lines().map(|it| it.trim().to_owned()).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let setup = Setup::new();
    let script = setup.folder.join("wardwire.bash");
    fs::write(&script, said(Path::new("/"), &["completions", "bash"], &[])).unwrap();
    let syntax = Command::new("bash")
        .arg("-n")
        .arg(&script)
        .status()
        .unwrap();
    assert!(syntax.success());
    let commands = completed(&script, &["wardwire", "c"]);
    assert_eq!(commands, ["check", "completions"]);
    assert_eq!(
        completed(&script, &["wardwire", "check", "--exp"]),
        ["--explain"]
    );
    assert_eq!(
        completed(&script, &["wardwire", "audit", "ver"]),
        ["verify"]
    );
    assert!(completed(&script, &["wardwire", "completions", ""]).contains(&"fish".to_owned()));
}

#[test]
fn other_shells_have_their_scripts() {
    for (shell, begins) in [("zsh", "#compdef wardwire"), ("fish", "# Print an optspec")] {
        let script = said(Path::new("/"), &["completions", shell], &[]);
        assert!(script.starts_with(begins), "{script:.200}");
        assert!(script.contains("explain"));
    }
}

#[test]
fn there_is_a_page_of_the_manual_for_every_command() {
    let setup = Setup::new();
    let page = said(Path::new("/"), &["man"], &[]);
    assert!(
        page.contains(".TH wardwire 1") && page.contains("EXIT STATUS"),
        "{page}"
    );
    said(&setup.folder, &["man", "--into", "man"], &[]);
    let names: Vec<_> = fs::read_dir(setup.folder.join("man"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in [
        "wardwire.1",
        "wardwire-check.1",
        "wardwire-serve.1",
        "wardwire-audit-verify.1",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn the_pages_of_the_manual_are_set_without_a_warning() {
    let setup = Setup::new();
    said(&setup.folder, &["man", "--into", "man"], &[]);
    let pages = fs::read_dir(setup.folder.join("man")).unwrap();
    for page in pages.map(|it| it.unwrap().path()) {
        let groff = Command::new("groff")
            .args(["-man", "-ww", "-z", "-Tutf8"])
            .arg(&page)
            .output();
        match groff {
            Ok(said) => assert!(
                said.status.success() && said.stderr.is_empty(),
                "{}: {}",
                page.display(),
                String::from_utf8_lossy(&said.stderr)
            ),
            // No tool of its own is worth a package; the pages are looked through wherever `man` is.
            Err(error) => return eprintln!("NOT RUN: groff: {error}"),
        }
    }
}

/// That they compile, and mean what they should, is asked where the client's types are
/// (`packages/client/test/types.test.ts`).
#[test]
fn the_types_of_channels_are_those_of_their_schemas() {
    let mut setup = configured();
    let at = setup.rest.find("[[channel]]").unwrap();
    setup.rest.truncate(at);
    for (name, takes) in [
        ("chat/{room}", "schema = \"message.json\""),
        ("chat/lobby", "schema = \"message.json\"\nmode = \"report\""),
        ("files/{id}", "binary = true"),
        ("news", ""),
    ] {
        setup.rest += &format!("[[channel]]\nname = \"{name}\"\n{takes}\n");
    }
    fs::write(
        setup.folder.join("message.json"),
        include_str!("types/message.json"),
    )
    .unwrap();
    fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    let types = said(&setup.folder, &["types"], &[]);
    assert_eq!(
        types,
        include_str!("../packages/client/test/channels.ts"),
        "{types}"
    );
}
