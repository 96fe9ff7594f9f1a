//! A life of a server: things happen, and clients have their turns.

use super::{
    clients::Client,
    dice::Dice,
    tally::{Happening, Tally},
    world::{Log, World},
};
use crate::common::{User, rooms::encoded};
use serde_json::json;

/// Lives a server's life of so many steps; at the end every client catches up. What chance might leave out of a short life happens once in
/// each: a backup, a restart, and the backup put back.
pub(super) async fn life(seed: u64, steps: usize, log: Log) -> Tally {
    let mut world = World::new(seed, log).await;
    for step in 0..steps {
        world.say(format!("step {step}"));
        world.tally.count(Happening::Step);
        match world.dice.roll(200) {
            _ if step == steps / 4 => world.back_up().await,
            _ if step == steps / 2 => world = world.restart().await,
            _ if step == steps * 3 / 4 => world = world.restore().await,
            0..=1 => world = world.restart().await,
            2..=4 => world.back_up().await,
            5 => world = world.restore().await,
            6..=109 => world.act().await,
            _ => {
                let index = world.dice.roll(world.clients.len());
                world.turn(index).await;
            }
        }
    }
    for index in 0..world.clients.len() {
        world.turn(index).await;
    }
    world.tally.count(Happening::Life);
    for client in world.clients.iter().flatten() {
        world.tally += &client.tally;
    }
    world.tally
}

impl World {
    /// One client's turn.
    async fn turn(&mut self, index: usize) {
        let mut client = self.clients[index].take().unwrap();
        let kind = self.dice.roll(10);
        self.say(format!("{}: turn {kind} from {:?}", client.name, client.token));
        match kind {
            0 | 1 => client.lose(&self.site, &self.dump, &mut self.dice).await,
            2 => self.wait(&mut client).await,
            3 if self.dice.chance(30) => client.forget(),
            4 => client.socket = None,
            _ => {}
        }
        let dice = &mut self.dice;
        if !client.is_lost {
            client.listen(&self.site, &self.dump, dice).await;
        }
        client.catch_up(&self.site, &self.dump, dice).await;
        self.dump.check(&mut client);
        client.tally.count(Happening::Look(client.door));
        if self.dice.chance(30) {
            let quiet = client.ask(&self.site, 0).await;
            assert!(quiet["rooms"].is_null(), "nothing happened: {quiet}");
            client.take(&self.site, &self.dump, &mut self.dice, &quiet).await;
        }
        self.clients[index] = Some(client);
    }

    /// The client waits while something happens, and is woken by it, or by something else of its user.
    async fn wait(&mut self, client: &mut Client) {
        if client.token.is_none() || client.is_lost {
            return;
        }
        self.act().await;
        let user = client.user.clone();
        client.tally.count(Happening::Wait);
        let waiting = client.ask(&self.site, 60_000);
        let waking = wake(&self.site.server, &user, self.sent);
        let (answer, ()) = tokio::join!(waiting, waking);
        self.dump.read_on(&self.site.server).await;
        client.take(&self.site, &self.dump, &mut self.dice, &answer).await;
    }
}

/// Something of the user's own that every client is told.
async fn wake(server: &crate::common::TestServer, user: &User, number: usize) {
    tokio::task::yield_now().await;
    let user_id = encoded(&user.user_id);
    let path = format!("/_matrix/client/v3/user/{user_id}/account_data/org.example.wake");
    let (status, answer) = server.put(&path, &user.token, json!({ "number": number })).await;
    assert_eq!(status, 200, "{answer}");
}

impl Client {
    /// Asks for what is new, and takes it.
    async fn catch_up(
        &mut self,
        site: &super::clients::Site,
        dump: &super::dump::Dump,
        dice: &mut Dice,
    ) {
        let answer = self.ask(site, 0).await;
        self.take(site, dump, dice, &answer).await;
    }
}
