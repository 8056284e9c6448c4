//! The declarations, against the header and against the library, where they are installed.

use super::require::skip;
use glusterfs_sys::{Api, SIGNATURES};
use std::{fmt::Write, fs, path::Path, process::Command};

#[test]
fn declarations_are_the_headers() {
    if let Some(output) = compile(&source(|_, c| c.to_owned())) {
        assert_eq!(output, "");
    }
}

#[test]
fn a_wrong_declaration_is_found() {
    for call in ["glfs_discard_async", "glfs_fallocate", "glfs_lseek"] {
        let wrong = |name: &str, c: &str| match name == call {
            true => c.replace("size_t", "int").replace("off_t", "int"),
            false => c.to_owned(),
        };
        if let Some(output) = compile(&source(wrong)) {
            assert!(output.contains(&format!("conflicting types for '{call}'")), "{output}");
        }
    }
}

#[test]
fn the_library_has_every_call_or_is_not_there() {
    if let Err(error) = Api::load() {
        let text = error.to_string();
        assert!(text.contains("cannot be loaded") && text.contains("install"), "{text}");
        skip("gluster library", &text);
    }
}

/// What the compiler says about it, if there are a header and a compiler.
fn compile(source: &str) -> Option<String> {
    let header = "/usr/include/glusterfs/api/glfs.h";
    if !Path::new(header).exists() {
        skip("gluster header", &format!("there is no {header} (Debian: libglusterfs-dev)"));
        return None;
    }
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let file = dir.path().join("abi.c");
    fs::write(&file, source).expect("there is space");
    let mut cc = Command::new("cc");
    match cc.env("LC_ALL", "C").args(["-fsyntax-only", "-Wall", "-Werror"]).arg(&file).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => {
            skip("gluster header", &format!("there is no cc: {error}"));
            None
        }
    }
}

/// Declares every call once more after the header, which in C must be the same declaration.
fn source(adapt: impl Fn(&str, &str) -> String) -> String {
    let mut source = String::from("#include <glusterfs/api/glfs.h>\n");
    for signature in SIGNATURES {
        let arguments: Vec<_> = signature.arguments.iter().map(|rust| c_type(rust)).collect();
        let (result, name) = (c_type(signature.result), signature.name);
        let declaration = format!("{result} {name}({});", arguments.join(", "));
        writeln!(source, "{}", adapt(name, &declaration)).expect("a string takes all");
    }
    source
        + "_Static_assert(sizeof(off_t) == 8, \"offsets have 64 bits\");\n\
           void of_rust(glfs_fd_t *, ssize_t, struct glfs_stat *, struct glfs_stat *, void *);\n\
           glfs_io_cbk callback = of_rust;\n"
}

fn c_type(rust: &str) -> String {
    let rust = rust.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(pointee) = rust.strip_prefix("*const ") {
        return format!("const {} *", c_type(pointee));
    }
    if let Some(pointee) = rust.strip_prefix("*mut ") {
        return format!("{} *", c_type(pointee));
    }
    match &*rust {
        "c_char" => "char",
        "c_int" => "int",
        "c_void" => "void",
        "iovec" => "struct iovec",
        "stat" => "struct stat",
        "off_t" | "size_t" | "ssize_t" | "mode_t" | "glfs_t" | "glfs_fd_t" | "glfs_io_cbk" => {
            &*rust
        }
        _ => panic!("what is {rust} in C?"),
    }
    .into()
}
