//! The four things that Rust's standard library asks of WASI in this module. Randomness is none, so that every run
//! is like the last.

use anyhow::Result;
use wasmi::{Caller, Error, Linker};

use super::abi::{put, put_number, take};
use super::world::World;

const MODULE: &str = "wasi_snapshot_preview1";
const SUCCESS: u32 = 0;

type Host<'a> = Caller<'a, World>;

pub(super) fn link(linker: &mut Linker<World>) -> Result<()> {
    linker
        .func_wrap(MODULE, "random_get", random_get)?
        .func_wrap(MODULE, "environ_sizes_get", environ_sizes_get)?
        .func_wrap(MODULE, "environ_get", environ_get)?
        .func_wrap(MODULE, "fd_write", fd_write)?
        .func_wrap(MODULE, "proc_exit", |_: Host<'_>, code: i32| -> Result<(), Error> {
            Err(Error::new(format!("the module ended itself with {code}")))
        })?;
    Ok(())
}

fn random_get(mut host: Host<'_>, at: u32, size: u32) -> Result<u32, Error> {
    host.data_mut().called("random_get");
    let mut bytes = Vec::new();
    while bytes.len() < size as usize {
        bytes.extend(host.data_mut().random());
    }
    bytes.truncate(size as usize);
    put(&mut host, at, &bytes)?;
    Ok(SUCCESS)
}

fn variables(host: &Host<'_>) -> Vec<Vec<u8>> {
    host.data().environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

fn environ_sizes_get(mut host: Host<'_>, count: u32, size: u32) -> Result<u32, Error> {
    host.data_mut().called("environ_sizes_get");
    let variables = variables(&host);
    put_number(&mut host, count, variables.len())?;
    put_number(&mut host, size, variables.iter().map(Vec::len).sum())?;
    Ok(SUCCESS)
}

fn environ_get(mut host: Host<'_>, pointers: u32, bytes: u32) -> Result<u32, Error> {
    host.data_mut().called("environ_get");
    let (mut pointer, mut at) = (pointers, bytes);
    for variable in variables(&host) {
        put_number(&mut host, pointer, at as usize)?;
        put(&mut host, at, &variable)?;
        pointer += 4;
        at += variable.len() as u32;
    }
    Ok(SUCCESS)
}

/// A panic's last words.
fn fd_write(mut host: Host<'_>, _file: u32, vectors: u32, count: u32, written: u32) -> Result<u32, Error> {
    host.data_mut().called("fd_write");
    let mut text = Vec::new();
    for n in 0..count {
        let vector = take(&host, vectors + 8 * n, 8)?;
        let number = |at: usize| u32::from_le_bytes([vector[at], vector[at + 1], vector[at + 2], vector[at + 3]]);
        text.extend(take(&host, number(0), number(4))?);
    }
    put_number(&mut host, written, text.len())?;
    host.data_mut().write_log(String::from_utf8_lossy(&text).into_owned());
    Ok(SUCCESS)
}
