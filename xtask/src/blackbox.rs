//! The tests that meet a release server from outside, as others would.

use crate::{
    autobahn::{self, Extent},
    fixture::{self, Fixture},
    shell::{Failure, Result, output, program, root, run, target},
    tools,
};

/// RFC 6455, by Autobahn|Testsuite, and by what it once sent. The recorded vectors are no full replacement: where the
/// testsuite cannot be had they run alone, and the step counts as not run.
pub(crate) fn conformance(extent: Extent) -> Result<String> {
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

/// `cargo xtask conformance [--all]`: the testsuite alone. What all of its cases came to is written into the docs.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let extent = match arguments {
        [] => Extent::Fast,
        [only] if only == "--all" => Extent::All,
        _ => {
            return Err(Failure::Broken(
                "usage: cargo xtask conformance [--all]".into(),
            ));
        }
    };
    crate::assets::build()?;
    fixture::build_server()?;
    let table = conformance(extent)?;
    if extent == Extent::All {
        let text = format!(
            "# Conformance\n\nWritten by `cargo xtask conformance --all`, which fails, and writes nothing, unless every case is OK or informational\n\
             (a case of which the RFC leaves the answer open). Autobahn|Testsuite over wss, all 517 cases:\n\n{table}"
        );
        std::fs::write(root().join("docs/conformance.md"), text)?;
    }
    Ok(())
}

/// Other people's clients.
pub(crate) fn clients() -> Result<()> {
    enter(&Fixture::start("clients", "tests/clients/server.toml")?)
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
    ]);
    server.tell(&mut node)?;
    let of_node = run(&mut node);
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

/// TLS: Mozilla's intermediate profile by sslyze, and the group that a real browser agrees on.
pub(crate) fn tls() -> Result<()> {
    let python = tools::python("tls")?;
    let server = Fixture::start("tls", "tests/clients/server.toml")?;
    let mut sslyze = program(python.join("bin/python"));
    sslyze.args([
        "-W",
        "ignore",
        "-m",
        "sslyze",
        "--mozilla_config",
        "intermediate",
        "--certinfo_ca_file",
    ]);
    sslyze
        .arg(server.authority())
        .arg("--json_out")
        .arg(server.folder.join("sslyze.json"));
    let said = output(sslyze.arg(format!("localhost:{}", server.port)))?;
    let verdict = said.lines().rev().find(|line| line.contains("localhost:"));
    println!(
        "sslyze, Mozilla intermediate: {}",
        verdict.unwrap_or("").trim()
    );
    tools::browser()?;
    crate::assets::packages()?;
    let mut browser = program("node");
    browser.args(["--test", "--test-reporter=spec", "tests/tls/group.test.mjs"]);
    server.tell(&mut browser)?;
    run(&mut browser)
}

/// The demo in a real browser.
pub(crate) fn browser() -> Result<()> {
    tools::browser()?;
    crate::assets::packages()?;
    let mut node = program("npm");
    node.args(["run", "--silent", "test:browser"]);
    run(node.env("WARDWIRE_BIN", target().join("release/wardwire")))
}
