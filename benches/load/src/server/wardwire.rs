//! A Wardwire server as its operators run it, with TLS, admission, limits, audit and metrics. Only what a limit would cut
//! short is set so high that it does not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use serde_json::Value;

use super::{
    Certificate, Running, Tokens,
    certificate::private,
    on_its_core,
    tokens::{AUDIENCE, ISSUER},
};
use crate::{Failure, dialect::Dialect};

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://localhost"]
tls = { cert = "cert.pem", key = "key.pem" }

[admin]
listen = "127.0.0.1:0"
token_file = "admin.token"

{http2}
[limits]
channels = 1000000
connections_per_ip = 1000000
connections_per_subject = 1000000
unadmitted = 1000000
messages_per_second = 0
message = "1MiB"
handshake = "10m"
ping = "1h"
pong = "1h"

[[issuer]]
issuer = "{issuer}"
audience = "{audience}"
jwks_file = "issuer.jwks.json"

[[route]]
path = "/live"
native_clients = true

[[route]]
path = "/echo"
kind = "echo"
native_clients = true

[[channel]]
name = "{any}"
subscribe = "authenticated"
publish = "authenticated"
"#;

/// Beyond what a build of before knows.
const CHANNELS: &str = r#"
[[channel]]
name = "g/{room}"
subscribe = { claim = "rooms", contains = "{room}" }
publish = { claim = "rooms", contains = "{room}" }
schema = "guarded.json"
history = { size = 100, ttl = "1h" }

[[channel]]
name = "kept/{any}"
subscribe = "authenticated"
publish = "authenticated"
history = { size = 100, ttl = "1h" }

[[channel]]
name = "here/{any}"
subscribe = "authenticated"
presence = true

[[channel]]
name = "idle/{any}"
subscribe = "authenticated"

[[channel]]
name = "market/{any}"
subscribe = "authenticated"
publish = "authenticated"
conflate = "/s"

[[channel]]
name = "quotes/{any}"
subscribe = "authenticated"
publish = "authenticated"
"#;

const SCHEMA: &str = r#"{
  "type": "object", "required": ["text"], "additionalProperties": false,
  "properties": { "text": { "type": "string", "maxLength": 2000, "x-sanitise": "html" } }
}"#;

pub(super) fn start(
    binary: &Path,
    folder: PathBuf,
    certificate: &Certificate,
) -> Result<Running, Failure> {
    let tokens = Tokens::new()?;
    let operator = "operator-of-a-run-that-is-thrown-away";
    // A build of before HTTP/2 refuses the key, and speaks none.
    let schema = on_its_core(binary)?.arg("schema").output()?;
    let speaks_http2 = memchr::memmem::find(&schema.stdout, b"http2").is_some();
    let http2 = match speaks_http2 {
        true => "[http2]\nwebsockets = true\n",
        false => "",
    };
    let speaks_of_channels = memchr::memmem::find(&schema.stdout, b"conflate").is_some();
    let config = CONFIG
        .replace("{http2}", http2)
        .replace("{issuer}", ISSUER)
        .replace("{audience}", AUDIENCE);
    let config = match speaks_of_channels {
        true => config + CHANNELS,
        false => config,
    };
    fs::write(folder.join("guarded.json"), SCHEMA)?;
    fs::write(folder.join("wardwire.toml"), config)?;
    fs::write(folder.join("issuer.jwks.json"), tokens.jwks())?;
    private(&folder.join("admin.token"), operator)?;
    let mut child = on_its_core(binary)?
        .args(["serve", "--config", "wardwire.toml"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let mut running = Running {
        child,
        folder,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        dialect: Dialect::wardwire(),
        tokens: Some(Arc::new(tokens)),
        admin: None,
        certificate: certificate.leaf.clone(),
    };
    let mut lines = BufReader::new(stderr).lines();
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line?;
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let address = |name| told.pointer(name).and_then(Value::as_str)?.parse().ok();
        if let Some(listening) = address("/fields/address") {
            running.address = listening;
            running.admin = address("/fields/admin").map(|it| (it, operator.to_owned()));
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(running);
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(format!("{} did not start: {said}", binary.display()).into())
}
