//! The server's writer over a disk in memory: transactions run at once, their answers wait for the
//! commit, and a kill in between loses the one or the other.
//!
//! The order is the real writer's (`store/src/writer.rs`): batch, commit, publish, answer.

use crate::event::Effect;
use crate::random::Random;
use aws_types::{AwsError, Caller, Ctx, Principal, Timestamp};
use store::{Change, MemoryStore, Schema, Store, StoreError, Txn, World};

/// The moment at which every run begins.
pub const START_MS: i64 = 1_700_000_000_000;
/// Transactions in one commit, as in the writer; a further one waits for the next.
const BATCH_LEN_MAX: usize = 256;

/// Transactions on their way to the disk.
#[derive(Debug)]
struct Batch {
    world: World,
    changes: Vec<Change>,
    effects: Vec<Effect>,
    transactions: usize,
}

/// The control plane's process and its disk.
#[derive(Debug)]
pub struct Server {
    /// It runs.
    pub up: bool,
    /// Counts its processes.
    pub life: u64,
    /// Milliseconds by which its clock is off.
    pub clock_ms: i64,
    /// What readers see: durable.
    pub published: World,
    schema: Schema,
    disk: MemoryStore,
    fence: u64,
    batch: Option<Batch>,
    ctx: Ctx,
    root: Caller,
    /// The next transaction fails after all its work, as by a panic in its last step.
    pub fails_late: bool,
    /// A planted bug: what a failed transaction wrote stays.
    pub keeps_refused: bool,
}

/// What the next transaction sees, and what is on its way to the disk.
#[derive(Debug)]
pub struct Newest {
    /// The batch's World, or the published one.
    pub world: World,
    /// How many rows wait for the commit.
    pub waiting: usize,
}

/// What a commit made visible.
#[derive(Debug)]
pub struct Committed {
    /// In the order of the transactions.
    pub changes: Vec<Change>,
    /// What waited for it.
    pub effects: Vec<Effect>,
}

impl Server {
    /// A server on an empty disk.
    pub fn new(seed: u64, finishes: bool) -> Result<Self, StoreError> {
        let tables = [
            ecs::records::tables(),
            events::records::tables(),
            ec2::records::tables(),
            servicediscovery::records::tables(),
            telemetry::alarms::records::tables(),
        ]
        .concat();
        let schema = Schema::new(&tables);
        let schema = match finishes {
            true => schema.with_finish(ecs::finish::finish),
            false => schema,
        };
        let mut disk = MemoryStore::default();
        let fence = disk.lead("writer", std::time::Duration::ZERO)?;
        let ctx = Ctx::for_tests(seed, Timestamp::from_millis(START_MS));
        Ok(Self {
            up: true,
            life: 1,
            clock_ms: 0,
            published: disk.load(&schema)?,
            schema,
            disk,
            fence,
            batch: None,
            root: ctx.caller.clone(),
            ctx,
            fails_late: false,
            keeps_refused: false,
        })
    }

    /// Its own clock.
    pub fn now(&self, now_ms: u64) -> Timestamp {
        let truth = i64::try_from(now_ms).unwrap_or(i64::MAX);
        Timestamp::from_millis(START_MS + truth + self.clock_ms)
    }

    /// The context of the next transaction or question of root's.
    pub fn ctx(&mut self, now_ms: u64) -> &mut Ctx {
        self.ctx.now = self.now(now_ms);
        &mut self.ctx
    }

    /// Runs a transaction of the host's of this name, or of root's. An error leaves nothing behind.
    pub fn submit<T>(
        &mut self,
        now_ms: u64,
        host: Option<&str>,
        run: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut txn = Txn::new(self.newest().world);
        let answer = self.run(now_ms, host, &mut txn, run);
        if answer.is_ok() || self.keeps_refused {
            let (world, changes) = txn.finish();
            let batch = self.open_batch();
            batch.world = world;
            batch.changes.extend(changes);
        }
        answer
    }

    /// What a transaction would see now.
    pub fn newest(&self) -> Newest {
        let batch = self.batch.as_ref();
        Newest {
            world: batch.map_or(&self.published, |batch| &batch.world).clone(),
            waiting: batch.map_or(0, |batch| batch.changes.len()),
        }
    }

    /// A planted bug: the transaction sees what is published, not what is on its way.
    pub fn submit_on_stale<T>(
        &mut self,
        now_ms: u64,
        run: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut txn = Txn::new(self.published.clone());
        let answer = self.run(now_ms, None, &mut txn, run)?;
        let (_, changes) = txn.finish();
        let batch = self.open_batch();
        for change in &changes {
            let put = match &change.value {
                Some(bytes) => batch.world.put_encoded(change.table, &change.key, bytes),
                None => batch.world.delete_encoded(change.table, &change.key),
            };
            put.map_err(|error| aws_types::codes::INTERNAL_FAILURE.with(error.to_string()))?;
        }
        batch.changes.extend(changes);
        Ok(answer)
    }

    /// Whether the writer takes a further transaction into its batch.
    pub fn has_room(&self) -> bool {
        let waiting = self.batch.as_ref().map_or(0, |batch| batch.transactions);
        waiting < BATCH_LEN_MAX
    }

    /// Lets this wait for the commit of everything submitted; whether a commit has to be begun.
    pub fn after_commit(&mut self, effect: Option<Effect>) -> bool {
        let batch = self.open_batch();
        batch.effects.extend(effect);
        batch.transactions += 1;
        batch.transactions == 1
    }

    /// The batch reaches the disk, then the readers.
    pub fn commit(&mut self) -> Result<Option<Committed>, StoreError> {
        let Some(mut batch) = self.batch.take() else {
            return Ok(None);
        };
        let revision = self.published.revision() + 1;
        self.disk.commit(&batch.changes, revision, self.fence)?;
        batch.world.set_revision(revision);
        self.published = batch.world;
        Ok(Some(Committed {
            changes: batch.changes,
            effects: batch.effects,
        }))
    }

    /// `kill -9`: nobody is answered; what was on its way to the disk got there or did not. Gives what
    /// got there.
    pub fn kill(&mut self, random: &mut Random) -> Result<Vec<Change>, StoreError> {
        let landed = if random.chance(500) {
            self.commit()?
        } else {
            None
        };
        self.batch = None;
        self.up = false;
        Ok(landed.map_or_else(Vec::new, |landed| landed.changes))
    }

    /// A new process on the same disk. Gives the rows that differ from what was published.
    pub fn start(&mut self) -> Result<Option<String>, StoreError> {
        self.fence = self.disk.lead("writer", std::time::Duration::ZERO)?;
        let world = self.disk.load(&self.schema)?;
        let differs = world.encoded_rows().ne(self.published.encoded_rows());
        let what = differs.then(|| {
            format!(
                "the store came back at revision {} unlike what was published at {}",
                world.revision(),
                self.published.revision()
            )
        });
        self.published = world;
        self.up = true;
        self.life += 1;
        Ok(what)
    }

    fn open_batch(&mut self) -> &mut Batch {
        let world = &self.published;
        self.batch.get_or_insert_with(|| Batch {
            world: world.clone(),
            changes: Vec::new(),
            effects: Vec::new(),
            transactions: 0,
        })
    }

    fn run<T>(
        &mut self,
        now_ms: u64,
        host: Option<&str>,
        txn: &mut Txn,
        run: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.ctx.now = self.now(now_ms);
        self.ctx.caller = self.root.clone();
        if let Some(host) = host {
            self.ctx.caller.principal = Principal::Host { host: host.into() };
        }
        let answer = run(txn, &mut self.ctx);
        self.ctx.caller = self.root.clone();
        if answer.is_ok() {
            txn.end(&mut self.ctx);
        }
        match std::mem::take(&mut self.fails_late) {
            true => Err(aws_types::codes::INTERNAL_FAILURE.with("An internal error occurred.")),
            false => answer,
        }
    }
}
