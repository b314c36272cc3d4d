//! One test for each way to be unsafe.

use super::*;

mod server {
    use super::*;

    #[test]
    fn without_tls() {
        let text = with("tls = {", "# tls = {");
        one(&Folder::new(), &text, "[server]", "has no `tls`");
    }

    #[test]
    fn a_certificate_or_key_that_is_not_there() {
        let folder = Folder::new();
        fs::remove_file(folder.0.join("cert.pem")).unwrap();
        one(&folder, SAFE, "cert =", "cert.pem");
        fs::remove_file(folder.0.join("key.pem")).unwrap();
        assert_eq!(folder.problems(SAFE).len(), 2, "both are named");
    }

    #[test]
    fn a_certificate_that_is_none() {
        let folder = Folder::new();
        folder.write("cert.pem", "hello", 0o644);
        one(&folder, SAFE, "cert =", "holds no certificate");
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        folder.write("cert.pem", nonsense, 0o644);
        one(&folder, SAFE, "cert =", "cert.pem");
    }

    #[test]
    fn a_key_that_others_can_read() {
        let folder = Folder::new();
        for mode in [0o640, 0o604, 0o620, 0o602] {
            let path = folder.0.join("key.pem");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            one(&folder, SAFE, "key =", "can be read by others");
        }
    }

    #[test]
    fn a_certificate_that_expired() {
        let folder = Folder::new();
        folder.certify(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
        one(&folder, SAFE, "cert =", "expired at");
    }

    #[test]
    fn a_certificate_that_is_not_valid_yet() {
        let folder = Folder::new();
        folder.certify(|params| params.not_before = rcgen::date_time_ymd(3000, 1, 1));
        one(&folder, SAFE, "cert =", "is valid from");
    }

    #[test]
    fn a_key_of_another_certificate() {
        let folder = Folder::new();
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        folder.write("key.pem", &key, 0o600);
        one(&folder, SAFE, "key =", "is not the key of");
    }

    #[test]
    fn an_expired_certificate_with_a_shared_key_is_two_problems() {
        let folder = Folder::new();
        folder.certify(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
        fs::set_permissions(folder.0.join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(folder.problems(SAFE).len(), 2);
    }

    #[test]
    fn without_origins() {
        let folder = Folder::new();
        let text = with("origins = [\"https://app.example.com\"]", "");
        one(&folder, &text, "[server]", "has no `origins`");
        let text = with("[\"https://app.example.com\"]", "[]");
        one(&folder, &text, "origins =", "has no `origins`");
    }

    #[test]
    fn origins_that_stand_for_others() {
        let folder = Folder::new();
        for origin in ["*", "https://*", "https://*.example.com", "*.example.com"] {
            let text = with("https://app.example.com", origin);
            one(&folder, &text, "origins =", "pages nobody listed");
            assert!(folder.problems(&text)[0].contains("development.any_origin = true"));
        }
    }

    #[test]
    fn origins_over_an_open_line() {
        let folder = Folder::new();
        for origin in ["http://app.example.com", "http://localhost:3000"] {
            let text = with("https://app.example.com", origin);
            one(&folder, &text, "origins =", "is not https");
        }
    }

    #[test]
    fn origins_that_are_none() {
        let folder = Folder::new();
        for origin in [
            "",
            "https://app.example.com/",
            "https://app.example.com/chat",
            "app.example.com",
            "https://user@app.example.com",
            "ftp://app.example.com",
            "https://app.example.com:0",
            "https://app.example.com https://b.example.com",
        ] {
            let text = with("https://app.example.com", origin);
            one(&folder, &text, "origins =", "is not an origin");
        }
        let text = with("https://app.example.com", "null");
        one(&folder, &text, "origins =", "sandboxed frame");
    }

    #[test]
    fn each_bad_origin_has_its_own_line() {
        let bad = "[\n  \"https://app.example.com\",\n  \"http://x.example\",\n  \"*\",\n]";
        let text = with("[\"https://app.example.com\"]", bad);
        let problems = Folder::new().problems(&text);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("6: ") && problems[1].starts_with("7: "));
    }

    #[test]
    fn hosts_that_stand_for_others() {
        let folder = Folder::new();
        let hosts = |host: &str| with("tls = {", &format!("hosts = [\"{host}\"]\ntls = {{"));
        for host in [
            "*",
            "",
            "a:80",
            "https://a.example",
            "a.*.example",
            "**.example.com",
            "a b",
        ] {
            one(&folder, &hosts(host), "hosts =", "is not a host");
        }
        for host in ["*.com", "*.com.", "*.127.0.0.1"] {
            one(&folder, &hosts(host), "hosts =", "hosts of strangers");
        }
        for host in [
            "*.example.com",
            "ws.example.com",
            "127.0.0.1",
            "*.localhost",
            "::1",
        ] {
            assert_eq!(folder.problems(&hosts(host)), [""; 0]);
        }
    }

    #[test]
    fn a_certificate_for_no_host_needs_hosts() {
        let folder = Folder::new();
        folder.certify(|params| params.subject_alt_names.clear());
        one(&folder, SAFE, "[server]", "the certificate names no host");
        let text = with("tls = {", "hosts = [\"ws.example.com\"]\ntls = {");
        assert_eq!(folder.problems(&text), [""; 0]);
    }
}

mod issuer {
    use super::*;

    /// [`SAFE`] with another issuer.
    fn issuer(lines: &str) -> String {
        with(
            "issuer = \"https://id.example.com\"\naudience = \"wardwire\"",
            lines,
        )
    }

    const WHO: &str = "issuer = \"https://id.example.com\"\naudience = \"wardwire\"\n";

    #[test]
    fn none() {
        let (before, after) = SAFE.split_once("[[issuer]]").unwrap();
        let text = format!("{before}{}", &after[after.find("[[route]]").unwrap()..]);
        let problems = Folder::new().problems(&text);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].contains("there is no [[issuer]] of users and no [forward_auth]"),
            "{problems:?}"
        );
        assert!(problems[0].contains("development.without_issuer = true"));
    }

    #[test]
    fn without_an_audience() {
        let folder = Folder::new();
        let text = issuer("issuer = \"https://id.example.com\"");
        one(&folder, &text, "[[issuer]]", "no `audience`");
        let text = issuer("issuer = \"https://id.example.com\"\naudience = \"\"");
        one(&folder, &text, "audience =", "no `audience`");
    }

    #[test]
    fn whose_keys_would_come_over_an_open_line() {
        let folder = Folder::new();
        for name in [
            "http://id.example.com",
            "id.example.com",
            "https://",
            "https://u:p@id.example.com",
        ] {
            let text = issuer(&format!("issuer = \"{name}\"\naudience = \"wardwire\""));
            one(&folder, &text, "issuer = ", "is not an https URL");
            let url = "\"https://id.example.com/keys\"";
            let text = issuer(&format!("{WHO}jwks_url = {url}")).replace(url, &format!("{name:?}"));
            one(&folder, &text, "jwks_url =", "is not https");
        }
        let text =
            issuer("issuer = \"\"\naudience = \"wardwire\"\njwks_url = \"https://a.example/k\"");
        one(&folder, &text, "issuer = ", "the issuer is empty");
    }

    #[test]
    fn with_a_symmetric_algorithm_or_none() {
        let folder = Folder::new();
        for name in [
            "HS256", "HS384", "HS512", "none", "None", "", "es256", "RSA1_5",
        ] {
            let text = issuer(&format!("{WHO}algorithms = [\"ES256\", \"{name}\"]"));
            one(&folder, &text, "algorithms =", "is not taken");
        }
    }

    #[test]
    fn whose_access_tokens_nothing_tells_apart() {
        let folder = Folder::new();
        let text = issuer(&format!("{WHO}profile = \"jwt\""));
        one(&folder, &text, "profile =", "needs a `discriminator`");
        for told in [
            "claim = \"\", equals = \"web\"",
            "claim = \"azp\", equals = \"\"",
        ] {
            let text = issuer(&format!(
                "{WHO}profile = \"jwt\"\ndiscriminator = {{ {told} }}"
            ));
            one(&folder, &text, "discriminator =", "tells nothing apart");
        }
        let text = issuer(&format!(
            "{WHO}discriminator = {{ claim = \"azp\", equals = \"web\" }}"
        ));
        one(
            &folder,
            &text,
            "discriminator =",
            "asked for with profile \"jwt\" only",
        );
    }

    #[test]
    fn who_stands_twice() {
        let again = "[[issuer]]\nissuer = \"https://id.example.com\" # again\naudience = \"b\"";
        one(&Folder::new(), &and(again), "# again", "stands twice");
    }

    #[test]
    fn whose_users_could_pass_for_those_of_another() {
        let other = |name: &str| {
            format!(
                "[[issuer]]\nissuer = \"https://other.example\" # other\naudience = \"b\"\n{name}"
            )
        };
        let folder = Folder::new();
        let text = and(&other("name = \"staff\""));
        one(
            &folder,
            &text,
            "issuer = \"https://id",
            "this one has no `name`",
        );
        let staff = "issuer = \"https://id.example.com\"";
        let text = and(&other("name = \"staff\" # again"));
        let text = text.replacen(staff, &format!("{staff}\nname = \"staff\""), 1);
        one(&folder, &text, "# again", "two issuers have this name");
        let text = issuer(&format!("{WHO}name = \"a:b\""));
        one(&folder, &text, "name = \"a:b", "no name for an issuer");
    }

    #[test]
    fn with_two_places_for_keys() {
        let folder = Folder::new();
        folder.write("keys.json", "{\"keys\":[]}", 0o644);
        let places = "jwks_url = \"https://id.example.com/keys\"\njwks_file = \"keys.json\"";
        let text = issuer(&format!("{WHO}{places}"));
        one(
            &folder,
            &text,
            "jwks_file =",
            "both `jwks_url` and `jwks_file`",
        );
    }

    #[test]
    fn with_a_key_file_of_no_use() {
        let folder = Folder::new();
        let text = issuer(&format!("{WHO}jwks_file = \"keys.json\""));
        one(&folder, &text, "jwks_file =", "cannot be read");
        let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}"#;
        for content in ["", "[]", "{\"keys\":{}}", "{\"keys\":[]}", symmetric] {
            folder.write("keys.json", content, 0o644);
            one(&folder, &text, "jwks_file =", "of no use");
        }
    }

    #[test]
    fn with_a_root_of_no_use() {
        let folder = Folder::new();
        let text = issuer(&format!("{WHO}ca = \"ca.pem\""));
        one(&folder, &text, "ca = ", "cannot be read");
        folder.write("ca.pem", "hello", 0o644);
        one(&folder, &text, "ca = ", "holds no certificate");
    }

    #[test]
    fn whose_files_anybody_can_write() {
        let folder = Folder::new();
        folder.write("keys.json", &keys(), 0o646);
        let text = issuer(&format!("{WHO}jwks_file = \"keys.json\""));
        one(&folder, &text, "jwks_file =", "written by everybody");
        let root = fs::read_to_string(folder.0.join("cert.pem")).unwrap();
        folder.write("ca.pem", &root, 0o646);
        let text = issuer(&format!("{WHO}ca = \"ca.pem\""));
        one(&folder, &text, "ca = ", "written by everybody");
    }

    #[test]
    fn with_too_much_leeway() {
        let text = issuer(&format!("{WHO}leeway = \"301s\""));
        one(
            &Folder::new(),
            &text,
            "leeway =",
            "an issuer's leeway is \"301s\"",
        );
    }
}

mod routes_and_channels {
    use super::*;

    #[test]
    fn no_route() {
        let text = with("[[route]]\npath = \"/live\"", "");
        let problems = Folder::new().problems(&text);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("there is no [[route]]"));
    }

    #[test]
    fn two_routes_of_one_path() {
        let text = and("[[route]]\npath = \"/live\" # again");
        one(&Folder::new(), &text, "# again", "two routes");
    }

    #[test]
    fn a_path_that_is_none() {
        let folder = Folder::new();
        for path in [
            "", "live", "/a b", "/a?b", "/a#b", "/a%2f", "/../a", "/a/./b", "//a", "/\u{e9}",
        ] {
            one(&folder, &with("/live", path), "path =", "is not a path");
        }
        for path in [
            "/.wardwire",
            "/.wardwire/tickets",
            "/.wardwirex",
            "/.WardWire/x",
        ] {
            one(&folder, &with("/live", path), "path =", "server's own");
        }
    }

    #[test]
    fn an_anonymous_route_that_requires_a_sign_in() {
        let folder = Folder::new();
        for require in ["acr = \"mfa\"", "amr = [\"otp\"]", "max_age = \"1h\""] {
            let lines = format!("\"/live\"\nanonymous = true\nrequire = {{ {require} }}");
            one(
                &folder,
                &with("\"/live\"", &lines),
                "require =",
                "an anonymous route",
            );
        }
    }

    #[test]
    fn a_requirement_that_asks_for_nothing() {
        let folder = Folder::new();
        for (require, says) in [
            ("acr = \"\"", "empty requirement"),
            ("amr = [\"\"]", "empty requirement"),
            ("acr = 'a\"b'", "no client could be told"),
            ("acr = \"a b\"", "no client could be told"),
            ("acr = \"\u{e4}\"", "no client could be told"),
            ("max_age = \"0s\"", "a route's require.max_age is \"0s\""),
        ] {
            let text = with(
                "\"/live\"",
                &format!("\"/live\"\nrequire = {{ {require} }}"),
            );
            one(&folder, &text, "require =", says);
        }
    }

    #[test]
    fn a_channel_pattern_that_is_none() {
        let folder = Folder::new();
        for name in [
            "",
            "chat//{room}",
            "chat/*",
            "chat/{}",
            "chat/{a b}",
            "chat/..",
            "a%2f",
            "/chat",
        ] {
            let text = with("chat/{room}", name);
            assert_eq!(folder.problems(&text).len(), 1, "{name}");
            assert!(
                folder.problems(&text)[0].contains("not a channel name"),
                "{name}"
            );
        }
        let twice = with("chat/{room}", "{room}/{room}");
        one(&folder, &twice, "name =", "stands twice");
        let decomposed = with("chat/{room}", "cafe\u{301}/{room}");
        let says = "\"cafe\\u{301}\" is not a channel name: in NFC (UAX #15) it would be caf\u{e9}";
        one(&folder, &decomposed, "name =", says);
    }

    #[test]
    fn a_right_that_speaks_of_what_the_pattern_has_not() {
        let text = with("contains = \"{room}\"", "contains = \"{rom}\"");
        one(&Folder::new(), &text, "subscribe =", "{rom}");
    }

    #[test]
    fn a_right_that_asks_for_nothing() {
        let folder = Folder::new();
        for right in [
            "claim = \"\", equals = \"a\"",
            "claim = \"team\", equals = \"\"",
        ] {
            let text = with("\"authenticated\"", &format!("{{ {right} }}"));
            one(&folder, &text, "publish =", "asks for nothing");
        }
    }

    #[test]
    fn a_schema_that_is_not_understood_or_not_there() {
        let folder = Folder::new();
        folder.write("bad.json", "{\n  \"maxlength\": 3\n}", 0o644);
        folder.write("good.json", "{}", 0o644);
        let text = |lines: &str| and(&format!("[[channel]]\nname = \"own\"\n{lines}"));
        let bad = text("schema = \"bad.json\"");
        one(&folder, &bad, "schema =", "bad.json:2: at \"/maxlength\"");
        one(&folder, &bad, "schema =", "`maxLength`");
        one(
            &folder,
            &text("schema = \"none.json\""),
            "schema =",
            "none.json",
        );
        let both = text("schema = \"good.json\"\nbinary = true");
        one(&folder, &both, "binary =", "bytes that a schema");
        one(
            &folder,
            &text("mode = \"report\""),
            "mode =",
            "nothing to report",
        );
        one(
            &folder,
            &text("rate = { per = \"1s\" }"),
            "rate =",
            "nothing in particular",
        );
        assert_eq!(
            folder.problems(&text("schema = \"good.json\"\nmode = \"report\"")),
            [""; 0]
        );
    }

    #[test]
    fn two_channels_that_leave_open_which_decides() {
        let folder = Folder::new();
        let first = line_of(SAFE, "name = \"chat/{room}\"");
        for name in ["chat/{room}", "chat/{other}"] {
            let text = and(&format!("[[channel]]\nname = \"{name}\" # second"));
            let says = format!("for the same channels as \"chat/{{room}}\" in line {first}");
            one(&folder, &text, "# second", &says);
        }
        let text = and("[[channel]]\nname = \"{any}/admin\" # second");
        let says =
            format!("and \"chat/{{room}}\" in line {first}, and neither is the more specific");
        one(&folder, &text, "# second", &says);
        let problem = folder.problems(&text).join("");
        assert!(problem.contains("name = \"chat/admin\""), "{problem}");
        let settled = format!("{text}\n[[channel]]\nname = \"chat/admin\"");
        assert_eq!(folder.problems(&settled), [""; 0]);
        for name in ["chat", "chat/admin", "chat/{room}/private", "{any}/{all}"] {
            let text = and(&format!("[[channel]]\nname = \"{name}\""));
            assert_eq!(folder.problems(&text), [""; 0], "{name}");
        }
    }

    #[test]
    fn a_right_that_is_none_is_named_where_it_stands() {
        let folder = Folder::new();
        for (right, says) in [
            ("\"autenticated\"", "did you mean \"authenticated\"?"),
            ("7", "a right: \"nobody\""),
            ("{ claim = \"team\" }", "needs `equals` or `contains`"),
            ("{ equals = \"a\" }", "needs the `claim`"),
            (
                "{ scope = \"a\", claim = \"b\", equals = \"c\" }",
                "asks one thing",
            ),
            (
                "{ claim = \"a\", equals = \"b\", contains = \"c\" }",
                "asks one thing",
            ),
            ("{}", "needs `scope`, `claim`, `any` or `all`"),
            ("{ any = [] }", "`any` of no rights"),
            ("{ all = [{ any = [] }] }", "`any` of no rights"),
            ("{ any = [{ scope = \"\" }] }", "asks for nothing"),
            ("{ scope = \"{rom}\" }", "{rom}"),
            ("{ scope = \"a{\" }", "braces do not pair"),
            ("{ scope = \"{room}{room}\" }", "not for one channel"),
            (
                "{ any = [{ scoop = \"a\" }, \"nobody\"] }",
                "has no key `scoop`",
            ),
        ] {
            let text = with("\"authenticated\"", right);
            let problems = folder.problems(&text);
            let line = format!("{}: ", line_of(&text, "publish ="));
            assert!(
                problems
                    .iter()
                    .any(|it| it.contains(says) && it.starts_with(&line)),
                "{right}: {problems:?}"
            );
        }
    }

    #[test]
    fn a_right_that_is_too_deep_or_too_large() {
        let folder = Folder::new();
        let nested = |depth: usize| {
            let (open, close) = ("{ all = [".repeat(depth), "] }".repeat(depth));
            with("\"authenticated\"", &format!("{open}\"anyone\"{close}"))
        };
        assert_eq!(folder.problems(&nested(4)), [""; 0]);
        one(&folder, &nested(5), "publish =", "more than 4 deep");
        let wide = |count: usize| {
            let each = vec!["\"anyone\""; count].join(", ");
            with("\"authenticated\"", &format!("{{ any = [{each}] }}"))
        };
        assert_eq!(folder.problems(&wide(32)), [""; 0]);
        one(&folder, &wide(33), "publish =", "made of more than 32");
    }

    #[test]
    fn rights_of_history_and_presence_are_judged_too() {
        let folder = Folder::new();
        for (key, says) in [
            (
                "history = { size = 1, ttl = \"1h\", read = { scope = \"{rom}\" } }",
                "{rom}",
            ),
            (
                "presence = { see = { claim = \"a\", equals = \"{rom}\" } }",
                "{rom}",
            ),
            ("presence = { info = [\"name\", \"\"] }", "is no name"),
            ("presence = { info = [\"name\", \"name\"] }", "stands twice"),
            ("presence = 7", "true, false or"),
            ("presence = { sea = \"anyone\" }", "`see`"),
        ] {
            let text = format!("{SAFE}{key}\n");
            let problems = folder.problems(&text).join("");
            assert!(problems.contains(says), "{key}: {problems}");
        }
        let claims: Vec<_> = (0..17).map(|n| format!("\"c{n}\"")).collect();
        let text = format!("{SAFE}presence = {{ info = [{}] }}\n", claims.join(", "));
        let problems = folder.problems(&text).join("");
        assert!(problems.contains("17 claims are told"), "{problems}");
    }

    #[test]
    fn a_history_of_nothing_or_without_end() {
        let folder = Folder::new();
        for (history, says) in [
            ("size = 0, ttl = \"1h\"", "history.size is 0"),
            ("size = 100001, ttl = \"1h\"", "history.size is 100001"),
            ("size = 1, ttl = \"0s\"", "history.ttl is \"0s\""),
            (
                "size = 1, ttl = \"366d\"",
                "a channel's history.ttl is \"366d\"",
            ),
        ] {
            let text = format!("{}history = {{ {history} }}\n", SAFE);
            one(&folder, &text, "history =", says);
        }
    }
}

mod limits {
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
}

mod operators {
    use super::*;

    #[test]
    fn an_admin_listener_that_others_reach() {
        let folder = Folder::new();
        for address in [
            "0.0.0.0:9090",
            "[::]:9090",
            "192.0.2.1:9090",
            "[::ffff:192.0.2.1]:9090",
        ] {
            let text = with("127.0.0.1:0\"\ntoken", &format!("{address}\"\ntoken"));
            one(&folder, &text, address, "not a loopback address");
        }
        let text = with("127.0.0.1:0\"\ntoken", "[::1]:9090\"\ntoken");
        assert_eq!(folder.problems(&text), [""; 0]);
    }

    #[test]
    fn an_admin_token_that_is_missing_empty_or_short() {
        let folder = Folder::new();
        for token in [
            "",
            "\n",
            "short",
            &"t".repeat(31),
            &format!("  {}\n\n", "t".repeat(31)),
        ] {
            folder.write("admin.token", token, 0o600);
            one(&folder, SAFE, "token_file =", "shorter than 32 bytes");
        }
        folder.write("admin.token", &"t\u{e9}\n".repeat(32), 0o600);
        one(&folder, SAFE, "token_file =", "visible ASCII");
        folder.write("admin.token", &"t".repeat(5000), 0o600);
        one(&folder, SAFE, "token_file =", "longer than");
        fs::remove_file(folder.0.join("admin.token")).unwrap();
        one(&folder, SAFE, "token_file =", "of no use");
    }

    #[test]
    fn keys_that_stand_nowhere() {
        let folder = Folder::new();
        let and = |lines: &str| format!("{SAFE}{lines}\n");
        assert_eq!(folder.problems(&and("conflate = \"/symbol\"")), [""; 0]);
        let schema = r#"{ "type": "object", "properties": { "a": { "type": "array" } } }"#;
        folder.write("lists.json", schema, 0o644);
        for (lines, says) in [
            ("conflate = \"symbol\"", "is no JSON Pointer"),
            ("conflate = \"\"", "is no JSON Pointer"),
            ("conflate = \"/a~2\"", "is no JSON Pointer"),
            (
                "schema = \"lists.json\"\nconflate = \"/a\"",
                "neither a string nor an integer",
            ),
            ("binary = true\nconflate = \"/a\"", "a key in bytes"),
            (
                "last_value = true\nconflate = \"/a\"",
                "and of each key too",
            ),
        ] {
            one(&folder, &and(lines), "conflate =", says);
        }
    }

    #[test]
    fn a_backends_tokens_are_judged_as_an_operators() {
        let folder = Folder::new();
        let and = |files: &str| format!("{SAFE}[backend]\ntoken_files = [{files}]\n");
        folder.write("backend.token", &"t".repeat(32), 0o600);
        assert_eq!(folder.problems(&and("\"backend.token\"")), [""; 0]);
        folder.write("short.token", "short", 0o600);
        folder.write("shared.token", &"t".repeat(32), 0o644);
        let five = ["\"backend.token\""; 5].join(", ");
        for (files, says) in [
            ("", "names 0 files"),
            (&*five, "names 5 files"),
            (
                "\"backend.token\", \"short.token\"",
                "shorter than 32 bytes",
            ),
            ("\"shared.token\"", "read or written by others"),
            ("\"none.token\"", "is of no use"),
            (
                "\"0123456789abcdef0123456789abcdef\"",
                "looks like the token itself",
            ),
        ] {
            one(&folder, &and(files), "token_files", says);
        }
    }

    #[test]
    fn a_servers_right_without_a_server_is_worth_a_warning() {
        let folder = Folder::new();
        folder.write("backend.token", &"t".repeat(32), 0o600);
        let text = with("\"authenticated\"", "{ any = [\"server\", \"granted\"] }");
        let warnings = folder.warnings(&text);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("[backend]"), "{warnings:?}");
        let text = format!("{text}[backend]\ntoken_files = [\"backend.token\"]\n");
        assert_eq!(folder.warnings(&text), [""; 0]);
    }

    #[test]
    fn an_admin_token_that_others_can_read() {
        let folder = Folder::new();
        for mode in [0o640, 0o604, 0o620] {
            folder.write("admin.token", &"t".repeat(32), 0o600);
            let path = folder.0.join("admin.token");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            one(&folder, SAFE, "token_file =", "by others");
        }
    }

    #[test]
    fn an_audit_log_that_cannot_be_written() {
        let folder = Folder::new();
        fs::create_dir(folder.0.join("folder")).unwrap();
        for file in [
            "nowhere/audit.jsonl",
            "folder",
            "/dev/null",
            "cert.pem/audit.jsonl",
        ] {
            let text = and(&format!("[audit]\nfile = \"{file}\""));
            one(&folder, &text, "\nfile =", "cannot be written");
        }
    }

    #[test]
    fn an_audit_log_that_others_can_write() {
        let folder = Folder::new();
        for mode in [0o620, 0o602] {
            folder.write("audit.jsonl", "", mode);
            let text = and("[audit]\nfile = \"audit.jsonl\"");
            one(&folder, &text, "\nfile =", "can be written by others");
        }
    }

    #[test]
    fn judging_does_not_touch_a_log() {
        let folder = Folder::new();
        folder.write("audit.jsonl", "evidence\n", 0o600);
        assert_eq!(folder.problems(SAFE), [""; 0]);
        let log = fs::read_to_string(folder.0.join("audit.jsonl")).unwrap();
        assert_eq!(log, "evidence\n");
    }
}

mod development {
    use super::*;

    #[test]
    fn each_override_warns_loudly() {
        let folder = Folder::new();
        let text = format!(
            "{}[development]\nany_origin = true\n",
            with("[\"https://app.example.com\"]", "[]")
        );
        let warnings = folder.warnings(&text);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("every page on the web")
                && warnings[0].contains("Never in production")
        );
        let (before, after) = SAFE.split_once("[[issuer]]").unwrap();
        let rest = &after[after.find("[[route]]").unwrap()..];
        let text = format!("{before}{rest}\n[development]\nwithout_issuer = true\n");
        let warnings = folder.warnings(&text);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("nobody can sign in"));
    }

    #[test]
    fn no_override_lets_a_bad_origin_in() {
        let folder = Folder::new();
        let text = format!(
            "{}[development]\nany_origin = true\n",
            with("https://app.example.com", "*")
        );
        assert_eq!(folder.problems(&text).len(), 1);
    }

    #[test]
    fn a_page_of_another_site_is_worth_a_warning() {
        let folder = Folder::new();
        let text = with("https://app.example.com", "https://app.example.org");
        let warnings = folder.warnings(&text);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("4: ") && warnings[0].contains("session cookie"));
        let text = with("tls = {", "hosts = [\"[::1]\"]\ntls = {").replace("[::1]", "::1");
        let text = text.replace("https://app.example.com", "https://[::1]:8443");
        assert_eq!(folder.warnings(&text), [""; 0]);
    }

    #[test]
    fn channels_without_a_rule_are_worth_a_warning() {
        let (text, _) = SAFE.split_once("[[channel]]").unwrap();
        let warnings = Folder::new().warnings(text);
        assert!(warnings[0].contains("no [[channel]]"), "{warnings:?}");
    }
}
