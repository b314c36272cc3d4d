//! `spec/vectors` leaves nothing out of the protocol, and says nothing that its documents do not. That the server says it is
//! asked where there is one (`tests/vectors.rs`).

use std::{collections::BTreeSet, fs, path::Path};

use boon::{Compiler, Schemas};
use serde_json::{Map, Value, json};

const OPENRPC: &str = include_str!("../../../../spec/openrpc.json");
const CODES: &str = include_str!("../../../../spec/codes.toml");
const PROTOCOL: &str = include_str!("../../../../docs/protocol.md");

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Placeholders with something in their places that is of their kind.
fn sample(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.split(':').next() {
            Some("$position") => json!("5f3a:7"),
            Some("$wait") => json!(0.5),
            Some("$time") => json!(4_102_444_800_u64),
            _ => value.clone(),
        },
        Value::Object(members) if members.contains_key("$token") => json!("e30.e30.x"),
        Value::Object(members) if members.contains_key("$grant") => json!("eyJ0eXAiOi..."),
        Value::Array(all) => all.iter().map(sample).collect(),
        Value::Object(members) => {
            let each = members.iter().map(|(name, it)| (name.clone(), sample(it)));
            Value::Object(each.collect())
        }
        other => other.clone(),
    }
}

/// What is sent and what is received, message by message, those of a batch too. Each step's are beside one another.
fn exchanged() -> Vec<(Vec<Value>, Vec<Value>)> {
    fn each(message: &Value, all: &mut Vec<Value>) {
        match message {
            Value::Array(batch) => batch.iter().for_each(|it| each(it, all)),
            one => all.push(sample(one)),
        }
    }
    let mut steps = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let file = read(&path);
        let vectors = file["vectors"].as_array().into_iter().flatten();
        for step in vectors.flat_map(|it| it["steps"].as_array().unwrap()) {
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            each(step.get("send").unwrap_or(&json!([])), &mut sent);
            for key in ["receive", "receiveAll"] {
                each(step.get(key).unwrap_or(&json!([])), &mut received);
            }
            steps.push((sent, received));
        }
        let mut told = Vec::new();
        each(file.get("messages").unwrap_or(&json!([])), &mut told);
        steps.push((Vec::new(), told));
    }
    steps
}

fn texts<'a>(all: impl IntoIterator<Item = &'a Value>, place: &str) -> BTreeSet<String> {
    let found = all.into_iter().filter_map(|it| it.pointer(place)?.as_str());
    found.map(str::to_owned).collect()
}

#[test]
fn every_method_notice_error_and_close_has_a_vector() {
    let steps = exchanged();
    let called = texts(steps.iter().flat_map(|it| &it.0), "/method");
    let received: Vec<&Value> = steps.iter().flat_map(|it| &it.1).collect();
    let told = texts(received.iter().copied(), "/method");
    let document: Value = serde_json::from_str(OPENRPC).unwrap();
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let by_client = method["tags"][0]["$ref"] == "#/components/tags/client";
        let vectors = if by_client { &called } else { &told };
        assert!(vectors.contains(name), "{name}");
    }
    let codes: toml::Table = toml::from_str(CODES).unwrap();
    let words = texts(received, "/error/data/word");
    for error in codes["rpc"].as_array().unwrap() {
        let word = error["word"].as_str().unwrap();
        assert!(words.contains(word), "{word}");
    }
    let closes = read(&folder().join("decode.json"))["closes"].clone();
    let closes = closes.as_array().unwrap();
    let known = codes["close"].as_array().unwrap();
    assert_eq!(closes.len(), known.len());
    for (close, known) in closes.iter().zip(known) {
        assert_eq!(close["code"], json!(known["code"].as_integer()));
        assert_eq!(close["advice"], json!(known["advice"].as_str()));
        if let Some(word) = known.get("word") {
            assert_eq!(close["reason"], json!(word.as_str()));
        }
    }
}

/// Judges a value by a place in the protocol's document.
fn fits(place: &str, value: &Value) -> bool {
    const NAME: &str = "https://wardwire.test/openrpc.json";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let document = serde_json::from_str(OPENRPC).unwrap();
    compiler.add_resource(NAME, document).unwrap();
    let schema = compiler.compile(&format!("{NAME}#{place}"), &mut schemas);
    schemas.validate(value, schema.unwrap()).is_ok()
}

/// Whether the parameters are those of a method, each as it is described.
fn are_params(at: usize, method: &Value, params: &Map<String, Value>) -> bool {
    let described = method["params"].as_array().unwrap();
    let is_known = |name: &String| described.iter().any(|it| it["name"] == **name);
    params.keys().all(is_known)
        && described.iter().enumerate().all(|(n, it)| {
            let given = params.get(it["name"].as_str().unwrap());
            let place = format!("/methods/{at}/params/{n}/schema");
            given.map_or(it["required"] != true, |given| fits(&place, given))
        })
}

#[test]
fn what_succeeds_is_asked_and_answered_as_the_protocols_document_says() {
    let document: Value = serde_json::from_str(OPENRPC).unwrap();
    let methods = document["methods"].as_array().unwrap();
    let find = |name: &Value| methods.iter().position(|it| it["name"] == *name);
    let mut judged = 0;
    for (sent, received) in exchanged() {
        for message in &received {
            let (at, place, value) = if let Some(result) = message.get("result") {
                let call = sent.iter().find(|it| it["id"] == message["id"]);
                let Some(call) = call else { continue };
                let at = find(&call["method"]).unwrap();
                let none = Map::new();
                let params = call
                    .get("params")
                    .map_or(&none, |it| it.as_object().unwrap());
                assert!(are_params(at, &methods[at], params), "{call}");
                (at, "result/schema", result)
            } else if let Some(at) = find(&message["method"]) {
                let params = message["params"].as_object().unwrap();
                assert!(are_params(at, &methods[at], params), "{message}");
                judged += 1;
                continue;
            } else {
                continue;
            };
            assert!(fits(&format!("/methods/{at}/{place}"), value), "{message}");
            judged += 1;
        }
    }
    assert!(judged > 100, "{judged}");
}

/// A message without what is another each time it is said.
fn unmarked(message: &Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().remove("id");
    placed(&message)
}

/// With one position in the place of all.
fn placed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let each = members.iter().map(|(name, it)| (name.clone(), placed(it)));
            Value::Object(each.collect())
        }
        Value::Array(all) => all.iter().map(placed).collect(),
        Value::String(text) if is_position(text) => json!("5f3a:7"),
        other => other.clone(),
    }
}

fn is_position(text: &str) -> bool {
    text.split_once(':').is_some_and(|(epoch, offset)| {
        u64::from_str_radix(epoch, 16).is_ok() && offset.parse::<u64>().is_ok()
    })
}

#[test]
fn what_the_protocols_page_shows_is_a_vector() {
    let steps = exchanged();
    let mut shown = 0;
    for line in PROTOCOL.lines() {
        let (said, by_client) = match line.strip_prefix("    > {") {
            Some(said) => (said, true),
            None => match line.strip_prefix("    < {") {
                Some(said) => (said, false),
                None => continue,
            },
        };
        let message: Value = serde_json::from_str(&format!("{{{said}")).unwrap();
        let message = unmarked(&message);
        let vectors = steps
            .iter()
            .flat_map(|it| if by_client { &it.0 } else { &it.1 });
        let vectors = vectors.filter(|it| it.is_object());
        assert!(vectors.map(unmarked).any(|it| it == message), "{line}");
        shown += 1;
    }
    assert!(shown >= 15, "{shown}");
}
