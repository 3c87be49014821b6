//! Lists the migrations with their text, so that the program knows them again (`src/schema.rs`).

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    fs::write(out.join("migrations.rs"), list(&here.join("migrations"))?)
}

/// A Rust expression: the folders' names in order, each with what is applied.
fn list(folder: &Path) -> io::Result<String> {
    let entries: io::Result<Vec<PathBuf>> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect();
    let mut folders = entries?;
    folders.retain(|path| path.join("up.sql").exists());
    folders.sort();

    let mut text = String::from("&[\n");
    for path in folders {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let script = path.join("up.sql");
        let script = script.to_string_lossy();
        writeln!(text, "    ({name:?}, include_str!({script:?})),").map_err(io::Error::other)?;
    }
    text.push(']');
    Ok(text)
}
