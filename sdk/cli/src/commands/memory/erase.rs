//! What somebody has is erased.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use soorma::{Error, MemoryOf, MemoryReceipt, Owner};

use super::admin::Admin;
use crate::connection::Connection;
use crate::print::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A user, of the service tenant that --service-tenant names.
    #[arg(long, value_name = "ID", required_unless_present_any = ["service_tenant", "all"])]
    user: Option<String>,
    /// The service tenant; all of it where no user is named. Of a user, the default one where nothing is said.
    #[arg(long, value_name = "ID")]
    service_tenant: Option<String>,
    /// The whole tenant.
    #[arg(long, conflicts_with_all = ["user", "service_tenant"])]
    all: bool,
    /// Do not ask whether that is meant.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    // Who it is in words of the platform: a token names its tenant to it alone.
    let tenant = client.memory().stats().await?.tenant_id;
    let (whose, words) = match (args.user, args.service_tenant) {
        (Some(user), service_tenant) => {
            let service_tenant = match service_tenant {
                Some(service_tenant) => service_tenant,
                None if args.connection.has_token() => {
                    return Err(Error::invalid(
                        "say of which service tenant the user is with --service-tenant",
                    )
                    .into());
                }
                None => Owner::DEFAULT_SERVICE_TENANT.to_owned(),
            };
            let words =
                format!("all that user {user} of service tenant {service_tenant} has in tenant {tenant}");
            (MemoryOf::User { tenant, service_tenant, user }, words)
        }
        (None, Some(service_tenant)) => {
            let words = format!("all that service tenant {service_tenant} has in tenant {tenant}");
            (MemoryOf::ServiceTenant { tenant, service_tenant }, words)
        }
        (None, None) => {
            let words = format!("all that tenant {tenant} has");
            (MemoryOf::Tenant { tenant }, words)
        }
    };
    if !args.yes && !confirmed(printer, &words)? {
        return printer.line("nothing was erased");
    }
    let receipt = client.memory().erase(&whose, args.admin.key()).await?;
    show(printer, &receipt)
}

/// Asks whether that is meant; where nobody can be asked it is not.
fn confirmed(printer: Printer, words: &str) -> anyhow::Result<bool> {
    if printer.is_json() || !std::io::stdin().is_terminal() {
        return Err(
            Error::invalid(format!("this erases {words} for good; say that it is meant with --yes")).into()
        );
    }
    printer.note(&format!("this erases {words}, for good. Is that meant? [y/N]"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

fn show(printer: Printer, receipt: &MemoryReceipt) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(receipt);
    }
    let mut rows: Vec<_> = receipt
        .kinds
        .iter()
        .map(|line| vec![line.kind.to_string(), line.entries.to_string(), line.vectors.to_string()])
        .collect();
    rows.push(vec!["all".to_owned(), receipt.entries.to_string(), receipt.vectors.to_string()]);
    printer.table(&["erased", "entries", "vectors"], rows)?;
    printer.line(&format!("at {}", receipt.erased_at))
}
