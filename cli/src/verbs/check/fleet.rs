//! `--fleet VERSIONS`: whether the sidecars that run can read what this version writes.

use partywall_authorization::ProgramBody;
use partywall_tenancy::{BundleBody, OverlayBody, Rollout};

/// What one version of Partywall reads.
struct Reads {
    version: &'static str,
    bundle: &'static [u16],
    overlay: &'static [u16],
    /// The rollout of a candidate; what follows it is a bundle's body.
    candidate: &'static [u16],
    program: &'static [u16],
}

/// Every version there is. A release adds its line; what it no longer reads goes out of it.
const VERSIONS: &[Reads] = &[Reads {
    version: env!("CARGO_PKG_VERSION"),
    bundle: &[BundleBody::FORMAT],
    overlay: &[OverlayBody::FORMAT],
    candidate: &[Rollout::FORMAT],
    program: &[ProgramBody::FORMAT],
}];

/// What is wrong with sending what this version writes to sidecars of these versions.
pub(super) fn check(versions: &[String]) -> Vec<String> {
    versions.iter().filter_map(|version| problem(version)).collect()
}

fn problem(version: &str) -> Option<String> {
    let Some(reads) = VERSIONS.iter().find(|reads| reads.version == version) else {
        let known: Vec<&str> = VERSIONS.iter().map(|reads| reads.version).collect();
        return Some(format!("nothing is known about version `{version}`; this one knows {}", known.join(", ")));
    };
    unread(reads)
}

fn unread(reads: &Reads) -> Option<String> {
    let formats = [
        ("bundles", reads.bundle, BundleBody::FORMAT),
        ("overlays", reads.overlay, OverlayBody::FORMAT),
        ("candidates", reads.candidate, Rollout::FORMAT),
        ("decision programs", reads.program, ProgramBody::FORMAT),
    ];
    let unread = formats.iter().find(|(_, reads, written)| !reads.contains(written));
    unread.map(|(what, _, written)| format!("version `{}` does not read format {written} of {what}", reads.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_version_reads_what_it_writes() {
        assert_eq!(check(&[env!("CARGO_PKG_VERSION").to_owned()]), Vec::<String>::new());
    }

    #[test]
    fn each_format_that_a_version_does_not_read_is_told() {
        let now = || Reads { version: "0.0.1", ..VERSIONS[0] };
        assert_eq!(unread(&now()), None);
        let told = |reads| unread(&reads).unwrap();
        assert!(told(Reads { bundle: &[1], ..now() }).ends_with("of bundles"));
        assert!(told(Reads { overlay: &[1], ..now() }).ends_with("of overlays"));
        assert!(told(Reads { program: &[1], ..now() }).ends_with("of decision programs"));
        assert_eq!(told(Reads { candidate: &[], ..now() }), "version `0.0.1` does not read format 1 of candidates");
    }
}
