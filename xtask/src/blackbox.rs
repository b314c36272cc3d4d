//! The tests that meet a release server from outside, as others would.

use std::fs;

use serde_json::Value;

use crate::{
    autobahn::{self, Extent},
    fixture::{self, Fixture},
    marks,
    shell::{Failure, Result, output, program, program_beside, root, run, target},
    tools,
};

/// RFC 6455, by Autobahn|Testsuite: the server, and the client.
pub(crate) fn conformance(extent: Extent) -> Result<()> {
    let server = of_the_server(extent);
    server.and(autobahn::client::judge(extent)).map(drop)
}

/// Also by what the testsuite once sent. The recorded vectors are no full replacement: where it cannot be had they run alone,
/// and the step counts as not run.
fn of_the_server(extent: Extent) -> Result<String> {
    let server = Fixture::start("conformance", "tests/conformance/server.toml")?;
    tools::system("python3", &["python3"])?;
    let mut replay = program("python3");
    replay.args(["-B", "tests/conformance/replay.py"]);
    server.tell_address(&mut replay);
    run(&mut replay)?;
    match autobahn::wstest() {
        Ok(wstest) => autobahn::judge(&wstest, &server, extent),
        Err(why) => Err(Failure::Missing(format!(
            "AUTOBAHN DID NOT RUN, only its recorded vectors, which passed.\n{why}"
        ))),
    }
}

/// `cargo xtask conformance [client] [--all]`: the testsuite alone, or its half for the client. What all of its cases came to
/// is written into the docs, after what of TLS stands beside it.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let (client_alone, extent) = match arguments {
        [] => (false, Extent::Fast),
        [only] if only == "--all" => (false, Extent::All),
        [only] if only == "client" => (true, Extent::Fast),
        [first, second] if first == "client" && second == "--all" => (true, Extent::All),
        _ => {
            return Err(Failure::Broken(
                "usage: cargo xtask conformance [client] [--all]".into(),
            ));
        }
    };
    crate::assets::build()?;
    let mut made = Vec::new();
    if !client_alone {
        fixture::build_server()?;
        made.push(("server", of_the_server(extent)?));
    }
    made.push(("client", autobahn::client::judge(extent)?));
    if extent == Extent::Fast {
        return Ok(());
    }
    if !client_alone {
        made.push(("tls", of_tls()?));
    }
    let docs = root().join("docs/conformance.md");
    made.iter()
        .try_for_each(|(mark, table)| marks::write(&docs, mark, &format!("\n{table}\n")))
}

fn of_tls() -> Result<String> {
    let sslyze = sslyze(&Fixture::start("tls", "tests/clients/server.toml")?)?;
    let testssl = testssl()?;
    Ok(format!(
        "| judge | says |\n| --- | --- |\n| sslyze, Mozilla's intermediate profile | {sslyze} |\n| testssl.sh | {testssl} |\n"
    ))
}

/// Other people's clients, our own behind a network that means ill, and the backend's package.
pub(crate) fn clients() -> Result<()> {
    let entered = enter(&Fixture::start("clients", "tests/clients/server.toml")?);
    entered.and(hostile(&[])).and(packages())
}

/// Our own client behind a network that means ill, for as long and with the faults that the variables say.
pub(crate) fn hostile(variables: &[(&str, String)]) -> Result<()> {
    let server = Fixture::start("hostile", "tests/clients/hostile/server.toml")?;
    crate::assets::packages()?;
    let mut node = program("node");
    node.args([
        "--test",
        "--test-reporter=spec",
        "tests/clients/hostile/hostile.test.mjs",
    ]);
    server.tell(&mut node)?;
    for (name, value) in variables {
        node.env(name, value);
    }
    run(&mut node)
}

/// The backend's package, and the examples in the documentation, with servers that they start themselves. Deno and Bun run the
/// examples beside the first Node.
fn packages() -> Result<()> {
    let mut others = tools::runtimes()?.into_iter();
    let mut done = Ok(());
    for (version, folder) in tools::client_nodes()? {
        println!("\n-- @wardwire/server and the examples on Node {version} --");
        let mut ours = program_beside(&folder, "node");
        ours.args(["--test", "--test-reporter=spec"]);
        ours.args(
            ["backend", "examples", "expiry", "rates"]
                .map(|it| format!("tests/clients/{it}.test.mjs")),
        );
        ours.env("WARDWIRE_BIN", target().join("release/wardwire"));
        ours.envs(others.by_ref());
        done = done.and(run(&mut ours));
    }
    done
}

/// Other people's clients enter a server that runs by `tests/clients/server.toml`, and are refused without proof.
pub(crate) fn enter(server: &Fixture) -> Result<()> {
    let python = tools::python("clients")?;
    crate::assets::packages()?;
    let mut node = program("node");
    node.args([
        "--test",
        "--test-reporter=spec",
        "tests/clients/ws.test.mjs",
        "tests/clients/undici.test.mjs",
        "tests/clients/json-rpc.test.mjs",
    ]);
    server.tell(&mut node)?;
    let mut of_node = run(&mut node);
    for (version, folder) in tools::client_nodes()? {
        println!("\n-- @wardwire/client on Node {version} --");
        let mut ours = program_beside(&folder, "node");
        ours.args(["--test", "--test-reporter=spec"]);
        ours.arg("tests/clients/wardwire.test.mjs");
        server.tell(&mut ours)?;
        of_node = of_node.and(run(&mut ours));
    }
    let mut unittest = program(python.join("bin/python"));
    unittest.args([
        "-m",
        "unittest",
        "-v",
        "test_websockets",
        "test_aiohttp",
        "test_websocat",
    ]);
    unittest
        .current_dir(root().join("tests/clients"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    server.tell(&mut unittest)?;
    let of_python = run(&mut unittest);
    of_node.and(of_python)
}

/// TLS: what sslyze and testssl.sh find, and the group that a real browser agrees on.
pub(crate) fn tls() -> Result<()> {
    let server = Fixture::start("tls", "tests/clients/server.toml")?;
    println!("sslyze, Mozilla intermediate: {}", sslyze(&server)?);
    println!("testssl.sh: {}", testssl()?);
    tools::browser()?;
    crate::assets::packages()?;
    let mut browser = program("node");
    browser.args(["--test", "--test-reporter=spec", "tests/tls/group.test.mjs"]);
    server.tell(&mut browser)?;
    run(&mut browser)
}

/// sslyze's verdict on Mozilla's intermediate profile.
fn sslyze(server: &Fixture) -> Result<String> {
    let python = tools::python("tls")?;
    let mut sslyze = program(python.join("bin/python"));
    sslyze.args(["-W", "ignore", "-m", "sslyze"]);
    sslyze.args(["--mozilla_config", "intermediate", "--certinfo_ca_file"]);
    sslyze
        .arg(server.authority())
        .arg("--json_out")
        .arg(server.folder.join("sslyze.json"));
    let said = output(sslyze.arg(format!("localhost:{}", server.port)))?;
    let verdict = said.lines().rev().find(|line| line.contains("localhost:"));
    let verdict = verdict.and_then(|line| line.split_once(": "));
    Ok(verdict.map_or("", |(_, it)| it).trim().to_owned())
}

/// testssl.sh's findings, of which there may be none. It asks for a host with a public name: as localhost, none is told to
/// come over TLS only for a year.
fn testssl() -> Result<String> {
    const HOST: &str = "wardwire.test";
    tools::system("testssl", &["testssl.sh"])?;
    let server = Fixture::start("testssl", "tests/tls/server.toml")?;
    let report = server.folder.join("testssl.json");
    let mut testssl = program("testssl");
    testssl.args(["--nodns", "none", "--ip", "127.0.0.1", "--add-ca"]);
    testssl.arg(server.authority());
    testssl.args(["--warnings", "off", "--color", "0", "--quiet", "--jsonfile"]);
    // Its exit code counts findings and tells nothing of them.
    let address = format!("https://{HOST}:{}", server.port);
    let said = testssl.arg(&report).arg(address).output()?;
    fs::write(server.folder.join("testssl.txt"), said.stdout)?;
    judge(&fs::read_to_string(report)?)
}

/// Reads testssl.sh's report.
fn judge(report: &str) -> Result<String> {
    let findings: Vec<Value> = serde_json::from_str(report)
        .map_err(|error| Failure::Broken(format!("the report of testssl.sh: {error}")))?;
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("?").to_owned();
    let good = ["OK", "INFO"];
    let bad: Vec<String> = findings
        .iter()
        .filter(|it| !good.contains(&word(it, "severity").as_str()))
        // Said of the machine's own OpenSSL, and not of the server.
        .filter(|it| word(it, "id") != "engine_problem")
        .map(|it| {
            format!(
                "{} {}: {}",
                word(it, "severity"),
                word(it, "id"),
                word(it, "finding")
            )
        })
        .collect();
    let asked = |id: &str| findings.iter().any(|it| word(it, "id") == id);
    // Something of each part, and what it says last.
    let parts = [
        "TLS1_3",
        "cipher_order",
        "HSTS_time",
        "heartbleed",
        "scanTime",
    ];
    if !parts.into_iter().all(asked) {
        return Err(Failure::Broken("testssl.sh did not come to its end".into()));
    }
    match bad.is_empty() {
        true => Ok(format!("{} questions, no finding", findings.len())),
        false => Err(Failure::Broken(format!(
            "testssl.sh found:\n{}",
            bad.join("\n")
        ))),
    }
}

/// The demo in real browsers, over HTTP/1.1 and over HTTP/2.
pub(crate) fn browser() -> Result<()> {
    tools::browser()?;
    tools::firefox()?;
    crate::assets::packages()?;
    let npm = || {
        let mut npm = program("npm");
        npm.args(["run", "--silent", "test:browser"])
            .env("WARDWIRE_BIN", target().join("release/wardwire"));
        npm
    };
    run(&mut npm()).and(run(npm().env("WARDWIRE_HTTP2", "1")))
}
