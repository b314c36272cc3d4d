//! What `wardwire.service` forbids, as a container runtime understands it (OCI runtime-spec, `linux.seccomp`).
//!
//! systemd itself needs to be the first process to try a unit. Its filter of system calls, the address families and that no
//! memory is written and run are the parts that could break a server; the kernel enforces them here just as there.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    shell::{Failure, Result, output, program, root},
    tools,
};

const UNIT: &str = "packaging/systemd/wardwire.service";

const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;
/// `CLONE_NEWNS` and the other namespaces of clone(2), and that of time.
const NAMESPACES: u32 = 0x7e02_0080;

/// The filter of the unit: whatever is not named gets `EPERM`.
pub(super) fn seccomp() -> Result<Value> {
    let unit = fs::read_to_string(root().join(UNIT))?;
    tools::system("systemd-analyze", &["systemd"])?;
    let mut calls = allowed(&unit, expand)?;
    // These are taken apart below, as their arguments decide.
    for judged in [
        "mmap",
        "mprotect",
        "pkey_mprotect",
        "socket",
        "clone",
        "clone3",
    ] {
        if !calls.remove(judged) && judged != "pkey_mprotect" {
            return Err(Failure::Broken(format!("{UNIT} does not allow {judged}")));
        }
    }
    for it in ["unshare", "setns"] {
        calls.remove(it);
    }
    demand(&unit, "MemoryDenyWriteExecute", "yes")?;
    demand(&unit, "RestrictNamespaces", "yes")?;
    demand(&unit, "SystemCallErrorNumber", "EPERM")?;
    let allow = "SCMP_ACT_ALLOW";
    let without = |name: &str, index: u32, bits: u32| {
        let lacks =
            json!({ "index": index, "value": bits, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" });
        json!({ "names": [name], "action": allow, "args": [lacks] })
    };
    let mut rules = vec![
        json!({ "names": calls, "action": allow }),
        // Either not written or not run, never both; and nothing becomes code that was not.
        without("mmap", 2, PROT_WRITE),
        without("mmap", 2, PROT_EXEC),
        without("mprotect", 2, PROT_EXEC),
        without("clone", 0, NAMESPACES),
        // Its flags are out of a filter's reach, so libc is told to use the older one (as systemd does).
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }),
    ];
    for family in families(&unit)? {
        let is = json!({ "index": 0, "value": family, "op": "SCMP_CMP_EQ" });
        rules.push(json!({ "names": ["socket"], "action": allow, "args": [is] }));
    }
    Ok(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": rules,
    }))
}

/// The values of a key, in order.
fn values<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

fn demand(unit: &str, key: &str, wanted: &str) -> Result<()> {
    match values(unit, key).last() {
        Some(value) if value == wanted => Ok(()),
        other => Err(Failure::Broken(format!(
            "{UNIT}: {key} is {other:?}, and what is tried here is {wanted:?}"
        ))),
    }
}

/// systemd.exec(5), `SystemCallFilter=`: the first line makes it a list of what is allowed, `~` takes away from it.
fn allowed(
    unit: &str,
    expand: impl Fn(&str) -> Result<BTreeSet<String>>,
) -> Result<BTreeSet<String>> {
    let mut calls = expand("@default")?;
    let lines: Vec<_> = values(unit, "SystemCallFilter").collect();
    if lines.first().is_none_or(|first| first.starts_with('~')) {
        let why = "its first SystemCallFilter= is no list of what is allowed";
        return Err(Failure::Broken(format!("{UNIT}: {why}")));
    }
    for line in lines {
        let (names, adds) = match line.strip_prefix('~') {
            Some(names) => (names, false),
            None => (line, true),
        };
        for name in names.split_whitespace() {
            for call in expand(name)? {
                if adds {
                    calls.insert(call);
                } else {
                    calls.remove(&call);
                }
            }
        }
    }
    Ok(calls)
}

/// A call is itself; a set is what systemd says it is, and sets hold sets.
fn expand(name: &str) -> Result<BTreeSet<String>> {
    if !name.starts_with('@') {
        return Ok(BTreeSet::from([name.to_owned()]));
    }
    let mut analyze = program("systemd-analyze");
    let text = output(analyze.args(["--no-pager", "syscall-filter", name]))?;
    let mut calls = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('@') && line != name {
            calls.extend(expand(line)?);
        } else if !line.is_empty() && !line.starts_with(['@', '#']) {
            calls.insert(line.to_owned());
        }
    }
    Ok(calls)
}

fn families(unit: &str) -> Result<Vec<u32>> {
    let named = values(unit, "RestrictAddressFamilies").flat_map(str::split_whitespace);
    let numbers = named.map(|name| match name {
        "AF_UNIX" => Ok(1),
        "AF_INET" => Ok(2),
        "AF_INET6" => Ok(10),
        other => Err(Failure::Broken(format!(
            "{UNIT}: {other} is not known here"
        ))),
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(name: &str) -> Result<BTreeSet<String>> {
        let calls: &[&str] = match name {
            "@default" => &["execve", "exit"],
            "@service" => &["read", "chown", "setrlimit", "exit"],
            "@privileged" => &["chown"],
            "@resources" => &["setrlimit", "nice"],
            other => &[other],
        };
        Ok(calls.iter().map(|it| (*it).to_owned()).collect())
    }

    #[test]
    fn a_filter_takes_away_and_adds_in_the_order_of_its_lines() {
        let unit = "SystemCallFilter=@service\nSystemCallFilter=~@privileged @resources\nSystemCallFilter=setrlimit\n";
        let calls = allowed(unit, sets).unwrap();
        let calls: Vec<_> = calls.iter().map(String::as_str).collect();
        assert_eq!(calls, ["execve", "exit", "read", "setrlimit"]);
    }

    #[test]
    fn a_unit_that_only_forbids_is_not_taken_for_a_list_of_what_is_allowed() {
        assert!(allowed("SystemCallFilter=~@privileged\n", sets).is_err());
        assert!(allowed("NoNewPrivileges=yes\n", sets).is_err());
    }
}
