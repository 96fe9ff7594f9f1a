//! Verification by a QR code that `tern` shows.

use anyhow::{Context, Result};
use matrix_sdk::encryption::verification::{Verification, VerificationRequestState};
use tern_testkit::{Loopback, Relay, Size, Tern};

use crate::{
    camera,
    keyboard::{account, leader},
    people,
    phone::{self, Phone},
};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_is_verified_by_one_that_scans_the_code_it_shows() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    account(&ternd, "alice").await?;
    let mut phone = Phone::log_in(&loopback, &ternd, "alice").await?;
    phone.make_signing_keys().await?;

    let mut tern = Tern::open(&loopback, "alice", Size::STANDARD)?;
    people::ask_to_log_in(&mut tern, ternd.name(), "alice", people::PASSWORD).await?;
    tern.wait_for("Unlock your messages").await?;
    phone.knows_another().await?;
    tern.press("Tab")?;
    tern.press("v")?;
    let request = phone.agree().await?;
    let code = phone::scan(&request, &camera::scan(&tern).await?).await?;
    // Black on white, whatever the theme.
    let written = String::from_utf8_lossy(&tern.recording()).into_owned();
    assert!(written.contains("38;5;16;48;5;231"), "{}", tern.picture());

    tern.wait_for("Does the other device say").await?;
    tern.press("Tab")?;
    tern.press("i")?;
    phone::done(&code).await?;
    tern.wait_for("Verified.").await?;
    leader(&mut tern, "s", "is verified.").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_device_shows_the_code_to_a_new_one_or_compares_emoji() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").plain_http().start().await?;
    account(&ternd, "alice").await?;
    let plain = ternd.plain_url().context("no plain HTTP")?;
    let relay = Relay::start().await?;
    relay.lead_to(plain)?;
    let mut tern = Tern::open(&loopback, "alice", Size::LARGE)?;
    people::log_in(&mut tern, &relay.url(), "alice", people::PASSWORD).await?;

    // Somebody new who asks while the line is down comes to be known together with the request: too late for it.
    relay.lead_to(NOWHERE)?;
    relay.break_connections();
    let phone = Phone::log_in(&loopback, &ternd, "alice").await?;
    let early = phone.ask().await?;
    relay.lead_to(plain)?;
    tern.wait_for("asked to verify too early").await?;
    early.cancel().await?;

    // Emoji in place of the code; then not even that.
    let request = phone.ask().await?;
    agree(&mut tern).await?;
    camera::scan(&tern).await?;
    tern.press("Tab")?;
    tern.press("e")?;
    let is_sas = |state: &VerificationRequestState| {
        matches!(
            state,
            VerificationRequestState::Transitioned { verification: Verification::SasV1(_) }
        )
    };
    phone::becomes(&request, is_sas).await?;
    request.cancel().await?;
    tern.wait_for("Not verified:").await?;

    // A terminal too small for the code says so, and shows it once it is large enough.
    tern.resize(Size { columns: 70, rows: 24 })?;
    let request = phone.ask().await?;
    agree(&mut tern).await?;
    tern.wait_for("too small for the code").await?;
    tern.resize(Size::LARGE)?;
    let code = phone::scan(&request, &camera::scan(&tern).await?).await?;
    tern.wait_for("Does the other device say").await?;
    tern.press("Tab")?;
    tern.press("i")?;
    phone::done(&code).await?;
    tern.wait_for("Verified.").await?;
    phone.is_verified().await
}

async fn agree(tern: &mut Tern) -> Result<()> {
    tern.wait_for("asks to verify this one").await?;
    tern.press("Tab")?;
    tern.press("a")
}
