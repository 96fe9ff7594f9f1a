//! Logging in in a browser, against Synapse with somebody who vouches for people. The test is the browser.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tern_testkit::{Cas, Loopback, Size, Synapse, Tern};

use crate::{keyboard::leader, people};

/// A Synapse that takes the club's word; its members need no password.
struct Club {
    synapse: Synapse,
    _cas: Cas,
    loopback: Loopback,
}

impl Club {
    async fn open() -> Result<Option<Club>> {
        if !Synapse::available() {
            eprintln!("matrix-synapse is not installed here: nothing shown");
            return Ok(None);
        }
        let loopback = Loopback::new()?;
        let cas = Cas::start("alice").await?;
        let synapse = loopback.synapse_builder().cas(&cas).start().await?;
        Ok(Some(Club { synapse, _cas: cas, loopback }))
    }

    /// A client that shows the address to open.
    async fn at_the_address(&self) -> Result<Tern> {
        let mut tern = Tern::open(&self.loopback, "alice", Size::STANDARD)?;
        people::find_server(&mut tern, self.synapse.name()).await?;
        tern.wait_for(&format!("Log in with {}", Cas::NAME)).await?;
        choose(&mut tern).await?;
        Ok(tern)
    }
}

async fn choose(tern: &mut Tern) -> Result<()> {
    tern.press("1")?;
    tern.wait_for("Open this address in a browser").await
}

/// The address, copied as a person does: from the field to the button.
async fn copy_address(tern: &mut Tern) -> Result<String> {
    let before = copied(tern).len();
    tern.press("Tab")?;
    tern.press("y")?;
    tern.wait_until("what is copied", |_| copied(tern).len() > before).await?;
    tern.press("BackTab")?;
    let last = copied(tern).pop().context("nothing was copied")?;
    let address = String::from_utf8(STANDARD.decode(last)?)?;
    let written = String::from_utf8_lossy(&tern.recording()).into_owned();
    assert!(written.contains(&format!(";{address}\x1b\\")), "it is a link, too: {address}");
    Ok(address)
}

/// All that went to the clipboard (OSC 52) so far.
fn copied(tern: &Tern) -> Vec<String> {
    let written = String::from_utf8_lossy(&tern.recording()).into_owned();
    let all = written.split("\x1b]52;c;").skip(1);
    all.filter_map(|rest| Some(rest.split_once('\x07')?.0.to_owned())).collect()
}

fn token(address: &str) -> Result<&str> {
    Ok(address.split_once("loginToken=").context("no token")?.1)
}

async fn paste(tern: &mut Tern, text: &str, answer: &str) -> Result<()> {
    tern.paste(text)?;
    tern.press("Enter")?;
    tern.wait_for(answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_the_address_that_the_browser_ends_on_is_pasted() -> Result<()> {
    let Some(club) = Club::open().await? else { return Ok(()) };
    let mut tern = club.at_the_address().await?;
    let address = copy_address(&mut tern).await?;

    // What is not it, what comes of another login, and a token that was used.
    paste(&mut tern, "https://example.org/welcome", "There is no login token in that.").await?;
    let back = club.loopback.log_in_in_browser(&address).await?;
    let another = back.replace("state=", "state=x");
    assert_ne!(another, back);
    paste(&mut tern, &another, "That address is of another login.").await?;
    let login = json!({ "type": "m.login.token", "token": token(&back)? });
    club.synapse.api().post("/_matrix/client/v3/login", login).await?.ok()?;
    paste(&mut tern, &back, "The server does not take that login").await?;

    // Once more, and the whole account is there: it can set up a recovery key without ever having had a password.
    let back = club.loopback.log_in_in_browser(&address).await?;
    tern.paste(&back)?;
    tern.wait_for("•••").await?;
    tern.press("Enter")?;
    people::set_up_recovery(&mut tern).await?;
    leader(&mut tern, "p", &club.synapse.user_id("alice")).await?;
    tern.press("Esc")?;
    tern.wait_gone("Profile").await?;

    // The token is nowhere: not on the screen, not in the log.
    let token = token(&back)?.as_bytes().to_vec();
    let holds = |bytes: &[u8]| bytes.windows(token.len()).any(|part| part == token);
    assert!(!holds(&tern.recording()));
    assert!(!holds(&std::fs::read(tern.data().join("tern.log"))?));

    tern.kill_9_and_reopen()?;
    tern.wait_for("N new group").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_on_the_same_machine_brings_the_login_by_itself() -> Result<()> {
    let Some(club) = Club::open().await? else { return Ok(()) };
    let mut tern = club.at_the_address().await?;
    let address = copy_address(&mut tern).await?;
    let given_up = club.loopback.log_in_in_browser(&address).await?;

    // Given up and begun anew: what comes of the first address comes too late.
    tern.press("Esc")?;
    tern.wait_for("answers.").await?;
    choose(&mut tern).await?;
    let http = club.loopback.http_client()?;
    match http.get(&given_up).send().await {
        Ok(page) => assert_eq!(page.status(), 400, "another login listens there now"),
        Err(error) => assert!(error.is_connect(), "{error}"),
    }

    let address = copy_address(&mut tern).await?;
    let back = club.loopback.log_in_in_browser(&address).await?;
    let stranger = http.get(back.replace("state=", "state=x")).send().await?;
    assert_eq!(stranger.status(), 400);
    let page = http.get(&back).send().await?.error_for_status()?.text().await?;
    assert!(page.contains("You can close this page"), "{page}");
    people::enter_chats(&mut tern).await?;
    leader(&mut tern, "p", &club.synapse.user_id("alice")).await
}
