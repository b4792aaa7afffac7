//! What the demo shows of events: two tenants with topics of one name at one broker.

use std::time::Instant;

use anyhow::Result;

use super::{Brokers, Options, Scoped, ScopedOptions};
use crate::play::LIVE;

/// What the tenants of the story may call their topics.
const TOPICS: &str = "    new_topics: { partitions: 12, replication: [1, 1] }\n    topics: [{ topic: \"*\" }, { topic: \"secret-*\", deny: true }]\n";

/// A step that was played.
pub struct Played {
    /// What happened, in words.
    pub name: &'static str,
    /// Who did it.
    pub tenant: &'static str,
    /// What came of it.
    pub told: String,
    /// What should have.
    pub wanted: &'static str,
}

impl Played {
    /// Whether it came as it should.
    pub fn is_right(&self) -> bool {
        self.told == self.wanted
    }
}

/// A broker and the proxy before it, started for the story.
pub struct Stage {
    brokers: Brokers,
    scoped: Scoped,
}

impl Stage {
    /// Starts both.
    pub fn start(name: &str) -> Result<Self> {
        let brokers = Brokers::start(&Options { name, ..Options::default() })?;
        let options = ScopedOptions { name, cluster: TOPICS, ..ScopedOptions::default() };
        let scoped = Scoped::start(&options, &brokers)?;
        Ok(Self { brokers, scoped })
    }

    /// Plays all of it, and shows each step when it was played.
    pub fn play(&self, mut show: impl FnMut(&Played)) -> Result<Vec<Played>> {
        let mut all = Vec::new();
        let mut step = |name, tenant, told: Result<String>, wanted| -> Result<()> {
            let played = Played { name, tenant, told: told?, wanted };
            show(&played);
            all.push(played);
            Ok(())
        };
        step("makes a topic", "acme", self.create("acme"), "Created topic orders.")?;
        step("makes one of that name", "globex", self.create("globex"), "Created topic orders.")?;
        step("writes to it", "acme", self.write("acme", "orders", "acme's order"), "written")?;
        step("writes to its own", "globex", self.write("globex", "orders", "globex' order"), "written")?;
        step("reads it", "acme", self.read("acme"), "acme's order")?;
        step("reads it", "globex", self.read("globex"), "globex' order")?;
        step("topics there are, says the broker", "", self.topics(), "acme.orders globex.orders")?;
        let denied = "Broker: Topic authorization failed";
        step("writes to what its mesh denies", "acme", self.write("acme", "secret-plans", "x"), denied)?;
        step("reads acme's by the broker's name", "globex", self.look("globex", "acme.orders"), "no such topic")?;
        let given = self.scoped.tenant("suspend", "globex")?;
        step("is suspended, and reads no more within 1.5 s", "globex", self.until_denied("globex", given), "denied")?;
        step("reads on", "acme", self.read("acme"), "acme's order")?;
        Ok(all)
    }

    fn create(&self, tenant: &str) -> Result<String> {
        let arguments = ["--create", "--topic", "orders"];
        Ok(self.scoped.tool(tenant, "TopicCommand", &arguments, "")?.succeeds()?.trim().to_owned())
    }

    fn write(&self, tenant: &str, topic: &str, record: &str) -> Result<String> {
        let ran =
            self.scoped.kcat(tenant, &["-P", "-t", topic, "-X", "message.timeout.ms=5000"], &format!("{record}\n"))?;
        let told = ran.errors.split("Delivery failed for message: ").nth(1).unwrap_or(&ran.errors);
        Ok(if ran.status == Some(0) { "written".into() } else { told.lines().next().unwrap_or_default().to_owned() })
    }

    fn read(&self, tenant: &str) -> Result<String> {
        let ran = self.scoped.kcat(tenant, &["-C", "-t", "orders", "-e", "-q"], "")?;
        Ok(ran.told.trim().to_owned())
    }

    /// Whether the tenant finds a topic.
    fn look(&self, tenant: &str, topic: &str) -> Result<String> {
        let ran = self.scoped.kcat(tenant, &["-L", "-t", topic, "-m", "2"], "")?;
        Ok(match ran.status {
            Some(0) if ran.told.contains("partition 0,") => "there".into(),
            Some(0) if ran.told.contains("Unknown topic") => "no such topic".into(),
            _ => format!("{}{}", ran.told, ran.errors).trim().to_owned(),
        })
    }

    fn topics(&self) -> Result<String> {
        let told = self.brokers.tool("TopicCommand", &["--list", "--exclude-internal"])?.succeeds()?;
        Ok(told.lines().collect::<Vec<_>>().join(" "))
    }

    fn until_denied(&self, tenant: &str, given: Instant) -> Result<String> {
        loop {
            let asked = given.elapsed();
            if self.look(tenant, "orders")? != "there" {
                return Ok("denied".into());
            }
            if asked > LIVE {
                return Ok("still let in".into());
            }
        }
    }
}
