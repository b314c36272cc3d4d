//! `wardwire audit verify FILE`

use std::{path::Path, process::ExitCode};

use crate::audit::{Verdict, verify as judge};

pub(super) fn verify(file: &Path) -> ExitCode {
    let name = file.display();
    match judge(file) {
        Ok(Verdict::Whole { lines, torn }) => {
            println!("{name}: {lines} lines, every one follows the line before it");
            if torn > 0 {
                println!("{name}: {torn} torn by a crash, as the line behind each says");
            }
            ExitCode::SUCCESS
        }
        Ok(Verdict::Torn { lines }) => {
            eprintln!("{name}: {lines} lines hold; the last was cut short, as by a crash");
            ExitCode::FAILURE
        }
        Ok(Verdict::Broken { line, why }) => {
            eprintln!("{name}:{line}: {why}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
