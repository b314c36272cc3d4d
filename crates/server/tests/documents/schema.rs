//! The JSON Schema is held against the real loader, by a validator that others wrote: what is shown to people is taken by
//! both, and what a schema can know to be wrong is refused by both.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::{CONFIGURATION, EXAMPLE, parse, with_every_key};

const README: &str = include_str!("../../../../README.md");
const ADMIN: &str = include_str!("../../../../docs/operations/admin.md");
const COMMITTED: &str = include_str!("../../../../spec/wardwire.schema.json");

/// What a block that shows a part stands on.
const BASE: &str = r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://app.example.com"]
tls = { cert = "cert.pem", key = "key.pem" }

[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"

[[route]]
path = "/live"

[[channel]]
name = "chat/{room}"
subscribe = { claim = "rooms", contains = "{room}" }
publish = "authenticated"
history = { size = 100, ttl = "1h" }
"#;

struct Judge {
    schemas: Schemas,
    own: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        const NAME: &str = "https://example.com/wardwire.schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let schema = wardwire::config::schema().clone();
        compiler.add_resource(NAME, schema).unwrap();
        let own = compiler.compile(NAME, &mut schemas).unwrap();
        Self { schemas, own }
    }

    /// What a text is by the schema.
    fn ask(&self, text: &str) -> Result<(), String> {
        let value: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let judged = self.schemas.validate(&value, self.own);
        judged.map_err(|error| format!("{error:#}"))
    }
}

/// The fenced TOML blocks of a document, and those indented ones that begin with a table.
fn blocks(document: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "```toml" {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            blocks.push(inside.collect::<Vec<_>>().join("\n"));
        } else if line.starts_with("    [") && line.trim_end().ends_with(']') && !line.contains('(')
        {
            let mut block = vec![line];
            while let Some(line) = lines.next_if(|line| line.starts_with("    ") || line.is_empty())
            {
                block.push(line);
            }
            blocks.push(block.join("\n"));
        }
    }
    // A unit of systemd looks like TOML.
    blocks.retain(|block| !block.contains("[Service]"));
    blocks
}

#[test]
fn the_committed_schema_is_that_of_the_structs() {
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    assert!(
        committed == *wardwire::config::schema(),
        "spec/wardwire.schema.json is stale: run `cargo xtask spec`"
    );
}

#[test]
fn every_key_is_described() {
    fn search(shape: &Value, path: &str) {
        let properties = shape["properties"].as_object();
        for (key, shape) in properties.into_iter().flatten() {
            let path = format!("{path}.{key}");
            let description = shape["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{path} has no description");
            let is_table =
                shape.get("properties").is_some() || shape.pointer("/items/properties").is_some();
            assert!(
                is_table
                    || shape.get("type").is_some()
                    || shape.get("oneOf").is_some()
                    || shape.get("anyOf").is_some(),
                "{path} has no type"
            );
            search(shape.get("items").unwrap_or(shape), &path);
        }
    }
    search(wardwire::config::schema(), "");
}

#[test]
fn what_is_shown_to_people_is_taken_by_the_schema_and_by_the_server() {
    let judge = Judge::new();
    let mut shown = vec![EXAMPLE.to_owned(), with_every_key(), BASE.to_owned()];
    for document in [README, CONFIGURATION, ADMIN] {
        for block in blocks(document) {
            shown.push(match block.contains("[server]") {
                true => block,
                false => format!("{BASE}\n{block}"),
            });
        }
    }
    assert!(
        shown.len() >= 5,
        "README.md and docs/operations/admin.md show one each"
    );
    for text in shown {
        judge
            .ask(&text)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        parse(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    }
}

/// The example with every key, and a strange one in one of its tables, for each of them: under headers and in braces.
fn with_a_strange_key() -> Vec<String> {
    let whole = with_every_key();
    let mut all = vec![format!("strange = true\n{whole}")];
    let mut before = String::new();
    for line in whole.split_inclusive('\n') {
        let strange = match line.starts_with('[') {
            true => format!("{line}strange = true\n"),
            false if line.starts_with('#') => line.to_owned(),
            false => line.replacen("= { ", "= { strange = true, ", 1),
        };
        if strange != line {
            let after = whole.get(before.len() + line.len()..).unwrap();
            all.push(format!("{before}{strange}{after}"));
        }
        before.push_str(line);
    }
    all
}

#[test]
fn a_key_that_does_not_exist_is_refused_in_every_table() {
    let judge = Judge::new();
    let all = with_a_strange_key();
    assert!(all.len() > 15, "{} tables", all.len());
    for text in all {
        assert!(judge.ask(&text).is_err(), "the schema takes\n{text}");
        let problems = parse(&text).err().unwrap_or_default().to_string();
        assert!(problems.contains("strange"), "{problems}\n{text}");
    }
}

#[test]
fn what_a_schema_can_know_to_be_wrong_is_refused_by_both() {
    let judge = Judge::new();
    for (old, new) in [
        ("listen =", "lisen ="),
        ("listen = \"127.0.0.1:0\"", ""),
        ("listen = \"127.0.0.1:0\"", "listen = 8443"),
        ("https://app.example.com", "http://app.example.com"),
        ("https://app.example.com", "*"),
        ("https://app.example.com", "https://*.example.com"),
        ("https://app.example.com", "https://app.example.com/chat"),
        ("tls = {", "threads = 0\ntls = {"),
        ("tls = {", "threads = 1025\ntls = {"),
        ("tls = {", "drain = \"10 years\"\ntls = {"),
        ("tls = {", "drain = 10\ntls = {"),
        ("tls = { cert = \"cert.pem\", key = \"key.pem\" }", ""),
        (", key = \"key.pem\"", ""),
        ("key = \"key.pem\"", "key = \"\""),
        ("audience = \"wardwire\"", ""),
        ("audience = \"wardwire\"", "audience = \"\""),
        (
            "audience = \"wardwire\"",
            "audience = \"a\"\nprofile = \"id\"",
        ),
        (
            "audience = \"wardwire\"",
            "audience = \"a\"\nalgorithms = [\"HS256\"]",
        ),
        (
            "audience = \"wardwire\"",
            "audience = \"a\"\nleeway = \"soon\"",
        ),
        ("[[route]]\npath = \"/live\"", ""),
        ("\"/live\"", "\"live\""),
        ("\"/live\"", "\"/a b\""),
        ("\"/live\"", "\"/live\"\nkind = \"raw\""),
        ("\"/live\"", "\"/live\"\nanonymous = \"no\""),
        ("\"/live\"", "\"/live\"\nrequire = { acr = \"\" }"),
        ("\"/live\"", "\"/live\"\nlimits = { message = 0 }"),
        ("\"/live\"", "\"/live\"\nlimits = { message = \"64kb\" }"),
        ("\"authenticated\"", "\"everybody\""),
        ("\"authenticated\"", "{ claim = \"a\" }"),
        (
            "\"authenticated\"",
            "{ claim = \"a\", contains = \"b\", equals = \"c\" }",
        ),
        ("\"authenticated\"", "{ claim = \"\", contains = \"b\" }"),
        ("size = 100,", "size = 0,"),
        ("size = 100,", "size = 100001,"),
        ("size = 100,", ""),
    ] {
        assert!(BASE.contains(old), "{old}");
        let text = BASE.replacen(old, new, 1);
        assert!(
            judge.ask(&text).is_err(),
            "the schema takes {new:?} for {old:?}"
        );
        assert!(
            parse(&text).is_err(),
            "the server takes {new:?} for {old:?}"
        );
    }
}

#[test]
fn the_schema_refuses_nothing_that_the_server_takes() {
    let judge = Judge::new();
    for (old, new) in [
        ("https://app.example.com", "HTTPS://App.Example.Com:443"),
        ("https://app.example.com", "https://[::1]:8443"),
        ("tls = {", "drain = \"0s\"\ntls = {"),
        ("tls = {", "drain = \"10 s\"\ntls = {"),
        ("\"/live\"", "\"/live\"\nlimits = { message = \"64 KiB\" }"),
        ("\"/live\"", "\"/live\"\nlimits = { message = \"512\" }"),
        (
            "\"/live\"",
            "\"/live\"\nlimits = { messages_per_second = 0 }",
        ),
        ("\"/live\"", "\"/\""),
        ("size = 100,", "size = 0x64,"),
    ] {
        assert!(BASE.contains(old), "{old}");
        let text = BASE.replacen(old, new, 1);
        parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        judge.ask(&text).unwrap_or_else(|error| panic!("{error}"));
    }
}
