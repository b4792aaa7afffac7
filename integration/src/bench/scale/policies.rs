//! The sample with thousands of policies: compiled once, since that takes its time, and signed again under the
//! other revisions.

use std::fs;

use anyhow::{Context, Result};

use super::Bundles;
use crate::many_policies;
use crate::roots::secret;
use crate::site::{FIRST_REVISION, Site, compile, tenancy};
use crate::statement::{BUNDLE, Statement, sign};
use crate::variant;

impl Bundles {
    pub(super) fn with_policies(site: &Site, policies: usize, count: usize) -> Result<Self> {
        let directory = site.directory.join(format!("tenancy-policies-{policies}"));
        variant::copy(&tenancy(), &directory)?;
        many_policies::write(&directory, policies)?;
        let folder = |nth: usize| site.directory.join(format!("bundles-policies-{policies}-{nth}"));
        compile(&directory, &site.keys(), &folder(0), Some(FIRST_REVISION + 1))?;
        let seed = secret(fs::read_to_string(site.keys().join("bundle-1.key"))?.trim())?;
        for nth in 1..count {
            fs::create_dir_all(folder(nth))?;
            for file in fs::read_dir(folder(0))? {
                let file = file?.path();
                if file.extension().is_some_and(|extension| extension == "bundle") {
                    let number = FIRST_REVISION + 1 + nth as u64;
                    let next = Statement { number, ..Statement::read(&fs::read(&file)?)? };
                    let name = file.file_name().context("a file without a name")?;
                    fs::write(folder(nth).join(name), sign(BUNDLE, &next.body(), "bundle-1", &seed)?)?;
                }
            }
        }
        Ok(Self((0..count).map(folder).collect()))
    }
}
