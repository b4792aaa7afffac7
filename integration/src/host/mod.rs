//! A host for the module, in memory: as much of proxy-wasm 0.2.1 as the module asks for, and no network, no
//! threads and no clock of its own. It runs the module in an interpreter that counts, so it can say what a
//! callback costs in instructions and in calls to the host, and the same input gives the same count.
//!
//! ```text
//! Host         loads the module, calls its callbacks in Envoy's order, measures each
//!   world      what there is outside: headers, properties, shared data, metrics, HTTP calls, clock, environment
//!   abi        proxy-wasm: the module's calls, in and out of its memory
//!   wasi       randomness and environment, as WASI has them
//!   map        header maps as bytes
//!   signatures `verify_signature`, as Envoy answers it
//! sample       plugins of the sample mesh, ready to be asked
//! ```
//!
//! What real traffic does is for a real Envoy. What the module asks for and this host lacks is a trap that names it.

mod abi;
mod map;
pub mod sample;
mod signatures;
mod wasi;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use wasmi::{Config, Engine, Linker, Module, Store, TypedFunc, WasmParams, WasmResults};

pub use world::{Headers, LocalReply, World};

/// So much is put in before each callback; more than any could use.
const FUEL: u64 = u64::MAX / 2;
const ROOT_CONTEXT: u32 = 1;
/// Action `Continue` of the ABI.
const CONTINUE: u32 = 0;

/// A module with one configured plugin.
pub struct Host {
    store: Store<World>,
    instance: wasmi::Instance,
    last_context: u32,
}

/// Which plugin to configure.
pub struct Plugin<'a> {
    /// The module's file.
    pub module: &'a Path,
    /// Its root id.
    pub root_id: &'a str,
    /// Its configuration, as JSON.
    pub configuration: &'a str,
    /// The environment of the VM.
    pub environment: &'a [(String, String)],
    /// The clock at the start, in seconds since the Unix epoch; only [`Host::tick`] moves it.
    pub now: u64,
    /// What HTTP calls are answered with, by path; every other path is a 404.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a callback cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// WebAssembly instructions, as wasmi's fuel counts them: one each but for those that do nothing by themselves
    /// (`nop`, `drop`, `block`, `loop`, `else`, `end`, `return`), and one more for every 64 bytes that an
    /// instruction copies. A function, a loop's turn and each arm of an `if` are paid for as they are entered, with all
    /// that stands in them: what a branch leaves out counts, too. So it is a bound, and the same for the same way
    /// through the code. What the host does while it is called counts nothing.
    pub instructions: u64,
    /// Calls to the host by name, WASI among them.
    pub calls: BTreeMap<&'static str, u32>,
}

impl Cost {
    /// Calls to the host, all together.
    pub fn host_calls(&self) -> u32 {
        self.calls.values().sum()
    }
}

/// A way through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client.
    Down,
    /// From what the proxy connected to.
    Up,
}

/// What became of bytes that came through a connection.
#[derive(Debug)]
pub struct Passed {
    /// What goes on.
    pub bytes: Vec<u8>,
    /// Whether the module closed the connection.
    pub closed: bool,
    /// What the callback cost.
    pub cost: Cost,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The request's headers as the next filter gets them.
    pub headers: Headers,
    /// The module's own answer, if it gave one.
    pub reply: Option<LocalReply>,
    /// The filter state, by name.
    pub state: BTreeMap<String, Vec<u8>>,
    /// What each callback cost, in their order.
    pub callbacks: Vec<(&'static str, Cost)>,
}

impl Outcome {
    /// Whether the request was let through.
    pub fn passed(&self) -> bool {
        self.reply.is_none()
    }

    /// The instructions of all callbacks.
    pub fn instructions(&self) -> u64 {
        self.callbacks.iter().map(|(_, cost)| cost.instructions).sum()
    }

    /// A field of the filter state as text; empty where there is none.
    pub fn field(&self, name: &str) -> String {
        self.state.get(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }
}

impl Host {
    /// Loads the module and configures the plugin. A refused configuration is an error with what the module logged.
    pub fn start(plugin: Plugin<'_>) -> Result<Self> {
        let bytes = fs::read(plugin.module).with_context(|| format!("cannot read {}", plugin.module.display()))?;
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, &bytes).map_err(|e| anyhow!("{}: {e}", plugin.module.display()))?;
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker)?;
        wasi::link(&mut linker)?;
        abi::refuse_the_rest(&mut linker, &module)?;
        let mut store = Store::new(&engine, World::new(&plugin));
        store.set_fuel(FUEL)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let mut host = Self { store, instance, last_context: ROOT_CONTEXT };
        host.call::<_, ()>("_initialize", ())?;
        host.call::<_, ()>("proxy_on_context_create", (ROOT_CONTEXT, 0_u32))?;
        let (started, _): (u32, _) = host.call("proxy_on_vm_start", (ROOT_CONTEXT, 0_u32))?;
        ensure!(started == 1, "the VM does not start: {}", host.world().log().join("\n"));
        host.configure(plugin.configuration)?;
        Ok(host)
    }

    /// Configures the plugin, anew if it was before. A refused configuration is an error with what the module logged.
    pub fn configure(&mut self, configuration: &str) -> Result<()> {
        self.world_mut().configure(configuration);
        let size = u32::try_from(configuration.len())?;
        let (configured, _): (u32, _) = self.call("proxy_on_configure", (ROOT_CONTEXT, size))?;
        ensure!(configured == 1, "the plugin is refused: {}", self.world().log().join("\n"));
        Ok(())
    }

    /// Moves the clock on by so many milliseconds, lets the module's timer fire, and answers what it asks for.
    pub fn tick(&mut self, milliseconds: u64) -> Result<Cost> {
        self.world_mut().pass(milliseconds);
        let ((), cost) = self.call("proxy_on_tick", (ROOT_CONTEXT,))?;
        while let Some(token) = self.world_mut().answer_next_call() {
            let headers = u32::try_from(self.world().call_headers())?;
            let body = u32::try_from(self.world().call_body())?;
            self.call::<_, ()>("proxy_on_http_call_response", (ROOT_CONTEXT, token, headers, body, 0_u32))?;
        }
        Ok(cost)
    }

    /// Plays one request and its answer, without bodies: the callbacks that Envoy would call, in its order. An answer
    /// of the module's own passes its response callback too, as it does in Envoy.
    pub fn request(&mut self, headers: &[(&str, &str)]) -> Result<Outcome> {
        self.last_context += 1;
        let id = self.last_context;
        let world = self.world_mut();
        world.begin_stream(headers);
        let count = u32::try_from(headers.len())?;
        let mut callbacks = Vec::new();
        let ((), cost) = self.call("proxy_on_context_create", (id, ROOT_CONTEXT))?;
        callbacks.push(("context_create", cost));
        let (action, cost): (u32, _) = self.call("proxy_on_request_headers", (id, count, 1_u32))?;
        callbacks.push(("request_headers", cost));
        ensure!(
            (action == CONTINUE) == self.world().reply().is_none(),
            "the module paused a request without answering it, or went on with one it answered"
        );
        let answered = self.world().reply().cloned();
        self.world_mut().begin_response(answered.as_ref());
        let (_, cost): (u32, _) = self.call("proxy_on_response_headers", (id, 1_u32, 1_u32))?;
        callbacks.push(("response_headers", cost));
        let (_, cost): (u32, _) = self.call("proxy_on_done", (id,))?;
        callbacks.push(("done", cost));
        let ((), cost) = self.call("proxy_on_log", (id,))?;
        callbacks.push(("log", cost));
        let ((), cost) = self.call("proxy_on_delete", (id,))?;
        callbacks.push(("delete", cost));
        let reply = self.world().reply().cloned();
        let (headers, state) = self.world_mut().end_stream();
        Ok(Outcome { headers, reply, state, callbacks })
    }

    /// Begins a connection, and gives the number of its context.
    pub fn connect(&mut self) -> Result<u32> {
        self.last_context += 1;
        let id = self.last_context;
        self.call::<_, ()>("proxy_on_context_create", (id, ROOT_CONTEXT))?;
        self.call::<_, u32>("proxy_on_new_connection", (id,))?;
        Ok(id)
    }

    /// Lets bytes come through a connection.
    pub fn data(&mut self, connection: u32, way: Way, bytes: &[u8]) -> Result<Passed> {
        let size = u32::try_from(bytes.len())?;
        let world = self.world_mut();
        world.stream_data = bytes.to_vec();
        world.take_closed();
        let callback = match way {
            Way::Down => "proxy_on_downstream_data",
            Way::Up => "proxy_on_upstream_data",
        };
        let (action, cost): (u32, _) = self.call(callback, (connection, size, 0_u32))?;
        ensure!(action == CONTINUE, "the module paused a connection, which Envoy never takes up again");
        let world = self.world_mut();
        Ok(Passed { bytes: std::mem::take(&mut world.stream_data), closed: world.take_closed(), cost })
    }

    /// The memory of the VM, in bytes: it only ever grows, by 64 KiB at a time.
    pub fn memory(&self) -> u64 {
        let memory = self.instance.get_memory(&self.store, "memory");
        memory.map_or(0, |memory| memory.size(&self.store) * 65_536)
    }

    /// What there is outside the module.
    pub fn world(&self) -> &World {
        self.store.data()
    }

    /// The same, to be changed between callbacks.
    pub fn world_mut(&mut self) -> &mut World {
        self.store.data_mut()
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, arguments: P) -> Result<(R, Cost)> {
        let function: TypedFunc<P, R> = self.instance.get_typed_func(&self.store, name)?;
        self.world_mut().take_calls();
        self.store.set_fuel(FUEL)?;
        let result = function.call(&mut self.store, arguments);
        let result = result.map_err(|e| anyhow!("{name} trapped: {e}\n{}", self.world().log().join("\n")))?;
        let instructions = FUEL - self.store.get_fuel()?;
        Ok((result, Cost { instructions, calls: self.world_mut().take_calls() }))
    }
}
