//! Mail as it leaves in earnest: STARTTLS with a private authority, a login, both parts of the message.

use std::fs;

use anyhow::{Result, ensure};
use tern_testkit::{Loopback, PATIENCE, SmtpSink, until};

use crate::people::PASSWORD;

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_through_starttls_and_a_login_to_a_server_with_a_private_authority() -> Result<()>
{
    let loopback = Loopback::new()?;
    let tls = loopback.authority().server_config("localhost")?;
    let sink = SmtpSink::start_with(Some(tls), Some(("tern", "hunter2"))).await?;
    let authority = format!("smtp_ca = [{:?}]", loopback.authority().file());
    let alpha = loopback
        .ternd("alpha.localhost")
        .smtp(&sink.url())
        .setting("mail", &authority)
        .start()
        .await?;

    let api = alpha.api();
    let auth = api.start_registration("alice", PASSWORD).await?;
    let session = api.email_session("register", "alice@example.org").await?;
    let mail = sink.wait_for_mail("alice@example.org", 0).await?;

    let code = mail.code()?;
    ensure!(mail.html.contains(&format!("<b>{code}</b>")), "no code in the HTML: {}", mail.html);
    let link = mail.link()?.replace('&', "&#38;");
    ensure!(mail.html.contains(&format!("<a href=\"{link}\"")), "no {link} in: {}", mail.html);
    api.submit_code(&session, &code).await?.ok()?;
    api.register_with_email("alice", PASSWORD, &auth, &session).await?.ok()?;
    let log = fs::read_to_string(alpha.log())?;
    ensure!(!log.contains("hunter2"), "the log holds the password of the mail server");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_nobody_trusts_gets_neither_mail_nor_password() -> Result<()> {
    let loopback = Loopback::new()?;
    let tls = loopback.authority().server_config("localhost")?;
    let sink = SmtpSink::start_with(Some(tls), Some(("tern", "hunter2"))).await?;
    let alpha = loopback.ternd("alpha.localhost").smtp(&sink.url()).start().await?;

    alpha.api().email_session("register", "alice@example.org").await?;

    until("the refusal in the log", PATIENCE, async || {
        let log = fs::read_to_string(alpha.log())?;
        Ok(log.contains("could not be sent").then_some(()))
    })
    .await?;
    ensure!(sink.mails().is_empty());
    Ok(())
}
