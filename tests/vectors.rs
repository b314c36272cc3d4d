//! The test vectors of `wardwire.v1` (`spec/vectors`) are what this server says. Their README tells what they look like.

use std::{collections::HashMap, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use crate::harness::{Handshake, Issuer, Server, Setup, Ws, now};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors")
}

fn read(file: &str) -> Value {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A server as the vectors ask for, and who grants there.
fn start() -> (Server, Issuer) {
    let server = folder().join("server");
    let text = fs::read_to_string(server.join("wardwire.toml")).unwrap();
    let (issuers, text) = text.split_once("[limits]\n").unwrap();
    let (limits, rest) = text.split_once("[[route]]").unwrap();
    let mut setup = Setup::new().limits(limits);
    let grants = Issuer::new("https://app.test");
    fs::write(setup.folder.join("app.json"), grants.jwks().to_string()).unwrap();
    setup.issuers += issuers;
    setup.rest = format!("[[route]]{rest}");
    let schema = "form.schema.json";
    fs::copy(server.join(schema), setup.folder.join(schema)).unwrap();
    (setup.start(), grants)
}

/// A token of one who is called so, with these claims beside.
fn token(server: &Server, name: &str, claims: &Value) -> String {
    let mut token = server.issuer.token(name).claim("rooms", json!(["1"]));
    for (claim, value) in claims.as_object().into_iter().flatten() {
        token = token.claim(claim, value.clone());
    }
    token.mint()
}

/// A grant with these claims.
fn grant(issuer: &Issuer, claims: &Value) -> String {
    let header = json!({ "alg": "ES256", "typ": "wardwire-grant+jwt", "kid": issuer.kid });
    let mut all =
        json!({ "iss": issuer.name, "aud": "wardwire", "iat": now(), "exp": now() + 600 });
    let claims = claims.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(claims);
    issuer.sign(&header.to_string(), &all.to_string())
}

fn open(server: &Server, name: &str, socket: &Value) -> Ws {
    let handshake = Handshake::new(socket["route"].as_str().unwrap_or("/live"));
    server.open(match socket.get("claims") {
        Some(Value::Null) => handshake,
        claims => handshake.bearer(&token(server, name, claims.unwrap_or(&json!({})))),
    })
}

/// One vector, as it goes on.
struct Run<'a> {
    server: &'a Server,
    grants: &'a Issuer,
    /// Which one, for who reads that it failed.
    name: String,
    /// What named placeholders stood for.
    bound: HashMap<String, Value>,
}

impl Run<'_> {
    /// What a vector sends, with what its placeholders stand for.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with('$') => self.bound[text].clone(),
            Value::Object(members) if members.contains_key("$token") => {
                let claims = &members["$token"];
                token(self.server, claims["sub"].as_str().unwrap(), claims).into()
            }
            Value::Object(members) if members.contains_key("$grant") => {
                grant(self.grants, &members["$grant"]).into()
            }
            Value::Array(all) => all.iter().map(|it| self.filled(it)).collect(),
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, it)| (name.clone(), self.filled(it)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    /// Whether this is what was to be received. What was bound on the way stays so only if it is.
    fn fits(&mut self, expected: &Value, got: &Value) -> bool {
        match (expected, got) {
            (Value::String(text), _) if text.starts_with('$') => self.stands_for(text, got),
            (Value::Object(one), Value::Object(other)) => {
                let mut each = one.iter().zip(other);
                one.len() == other.len() && each.all(|((a, x), (b, y))| a == b && self.fits(x, y))
            }
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(x, y)| self.fits(x, y))
            }
            (one, other) => one == other,
        }
    }

    fn stands_for(&mut self, placeholder: &str, got: &Value) -> bool {
        let (kind, name) = placeholder.split_once(':').unwrap_or((placeholder, ""));
        let is_one = match kind {
            "$position" => got.as_str().is_some_and(is_position),
            "$wait" => got.as_f64().is_some_and(|it| it > 0.0 && it <= 3600.0),
            "$time" => got.as_u64().is_some_and(|it| it > now()),
            other => panic!("{}: {other} is no placeholder", self.name),
        };
        if name.is_empty() || !is_one {
            return is_one;
        }
        let known = self.bound.entry(placeholder.into());
        *known.or_insert_with(|| got.clone()) == *got
    }

    /// Takes from what is expected the one that this is.
    fn take(&mut self, expected: &mut Vec<Value>, got: &Value) {
        let at = expected.iter().position(|it| {
            let before = self.bound.clone();
            let fits = self.fits(it, got);
            if !fits {
                self.bound = before;
            }
            fits
        });
        let at = at.unwrap_or_else(|| panic!("{}: {got} is none of {expected:#?}", self.name));
        expected.remove(at);
    }

    fn receive(&mut self, expected: &Value, got: &Value) {
        // The answers of a batch come in any order.
        if let (Value::Array(expected), Value::Array(got)) = (expected, got) {
            let mut left = expected.clone();
            got.iter().for_each(|it| self.take(&mut left, it));
            assert!(left.is_empty(), "{}: missing are {left:#?}", self.name);
            return;
        }
        self.take(&mut vec![expected.clone()], got);
    }

    fn step(&mut self, ws: &mut Ws, step: &Map<String, Value>) {
        for (key, value) in step {
            match &**key {
                "send" => ws.text(&self.filled(value).to_string()),
                "text" => ws.text(value.as_str().unwrap()),
                "bytes" => ws.send(0x82, &BASE64.decode(value.as_str().unwrap()).unwrap()),
                "on" | "times" | "receive" | "receiveAll" | "close" => {}
                other => panic!("{}: {other} is none of a step's", self.name),
            }
        }
        if let Some(expected) = step.get("receive") {
            let got = ws.json();
            self.receive(expected, &got);
        }
        if let Some(all) = step.get("receiveAll") {
            let mut left = all.as_array().unwrap().clone();
            while !left.is_empty() {
                let got = ws.json();
                self.take(&mut left, &got);
            }
        }
        if let Some(close) = step.get("close") {
            let (code, reason) = ws.closed();
            assert_eq!(
                *close,
                json!({ "code": code, "reason": reason }),
                "{}",
                self.name
            );
        }
    }
}

/// `epoch:offset`
fn is_position(text: &str) -> bool {
    let (epoch, offset) = text.split_once(':').unwrap_or_default();
    let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    !epoch.is_empty() && epoch.bytes().all(is_hex) && offset.parse::<u64>().is_ok()
}

fn run(file: &str) {
    let vectors = read(file);
    for vector in vectors["vectors"].as_array().unwrap() {
        let (server, grants) = start();
        let mut run = Run {
            server: &server,
            grants: &grants,
            name: format!("{file}, {}", vector["name"]),
            bound: HashMap::new(),
        };
        let sockets = vector["sockets"].as_object().unwrap();
        let opened = sockets
            .iter()
            .map(|(name, it)| (&**name, open(&server, name, it)));
        let mut sockets: HashMap<&str, Ws> = opened.collect();
        for step in vector["steps"].as_array().unwrap() {
            let step = step.as_object().unwrap();
            let name = step["on"].as_str().unwrap();
            for _ in 0..step.get("times").map_or(1, |it| it.as_u64().unwrap()) {
                run.step(sockets.get_mut(name).unwrap(), step);
            }
            if step.contains_key("close") {
                sockets.remove(name);
            }
        }
        // Nothing else was said.
        for ws in sockets.values_mut() {
            ws.text(r#"{"jsonrpc":"2.0","id":"end","method":"ping"}"#);
            run.receive(
                &json!({ "jsonrpc": "2.0", "id": "end", "result": {} }),
                &ws.json(),
            );
        }
    }
}

macro_rules! vectors {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(concat!(stringify!($name), ".json"));
        })*

        #[test]
        fn every_file_of_vectors_is_run() {
            let run = [$(concat!(stringify!($name), ".json"),)* "decode.json", "names.json"];
            let files = fs::read_dir(folder()).unwrap().map(|it| it.unwrap().file_name());
            let files = files.map(|it| it.into_string().unwrap());
            for file in files.filter(|it| it.ends_with(".json")) {
                assert!(run.contains(&&*file), "{file}");
            }
        }
    };
}

vectors![calls closes conflation history presence publish recovery subscribe];

#[test]
fn names() {
    let (names, (server, _)) = (read("names.json"), start());
    let answer = |name: &Value| {
        let mut ws = open(&server, "alice", &json!({}));
        ws.call("subscribe", json!({ "channel": name }))
    };
    let list = |which: &str| names[which].as_array().unwrap().clone();
    for name in list("good") {
        let answer = answer(&name);
        let good = answer["result"]["channel"] == name || answer["error"]["code"] == -32001;
        assert!(good, "{name}: {answer}");
    }
    for name in list("bad") {
        assert_eq!(answer(&name)["error"]["code"], -32005, "{name}");
    }
}
