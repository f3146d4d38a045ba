//! Whole catalogues from files: a generated one of the messy kind, and the machine's own package index.

use std::{fmt::Write as _, io::Write as _, process::Output};

use proto::catalog::v1::BatchGetProductsRequest;
use tests::{Stack, stack};
use tokio::process::Command;

use crate::world::{breakable, seller};

/// Rows of the package index that are imported.
const PACKAGES: usize = 5_000;

async fn import(stack: &Stack, file: &str, format: &str) -> Output {
    let (email, password) = stack.seller();
    Command::new(stack::binary().unwrap())
        .args(["catalog", "import", file, "--format", format, "--url", &stack.url(), "--email", &email])
        .env("SIPUP_PASSWORD", password)
        .output()
        .await
        .unwrap()
}

/// 3,000 rows with everything that real files have; every hundredth row is wrong in one of four ways.
fn messy_csv() -> String {
    let mut text = String::from("\u{feff}sku,name,description,brand,category,price,currency,unit\r\n");
    for row in 0..3_000 {
        let name = ["Schraube \"extra\"", "Vis à tête,\nlarge", "ボルト M8×40", "Болт"][row % 4]
            .replace('"', "\"\"");
        let name = if row % 4 == 1 { name.replace('\n', " ") } else { name };
        let long = if row % 500 == 7 { "lang ".repeat(3_000) } else { String::new() };
        let (sku, price) = match row {
            row if row % 400 == 100 => (String::new(), "1.00".to_owned()),
            row if row % 400 == 200 => (format!("MESSY-{row}"), "cheap".to_owned()),
            row if row % 400 == 300 => (format!("MESSY {row}"), "1.00".to_owned()),
            _ => (format!("MESSY-{row}"), format!("{}.{:02}", row % 97, row % 100)),
        };
        let _ = write!(text, "{sku},\"{name} {row}\",\"{long}\",,Messy Things,{price},EUR,\r\n");
    }
    text
}

#[tokio::test]
async fn a_messy_file_is_taken_but_for_its_bad_rows_which_are_named() {
    let stack = breakable().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(messy_csv().as_bytes()).unwrap();
    let output = import(&stack, &file.path().display().to_string(), "csv").await;
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    // The header is line 1, so row n stands on line n + 2.
    for (row, field) in [(100, "sku"), (200, "price"), (300, "sku"), (2_900, "sku")] {
        let line = said.lines().find(|line| line.contains(&format!("line {}:", row + 2)));
        assert!(line.is_some_and(|line| line.contains(field)), "row {row} is not named\n{said}");
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("22 refused") || said.contains("22 rejected"), "{said}");

    // Whoever imported sees all of it at once.
    let client = seller(&stack).await;
    let skus = ["MESSY-0", "MESSY-2", "MESSY-7", "MESSY-2999", "MESSY-200"].map(str::to_owned).to_vec();
    let found = client
        .catalog()
        .batch_get_products(BatchGetProductsRequest { skus, ..Default::default() })
        .await
        .unwrap();
    let found = found.into_inner();
    assert_eq!(found.not_found, ["MESSY-200"]);
    assert_eq!(found.products[0].name, "Schraube \"extra\" 0");
    assert_eq!(found.products[1].name, "ボルト M8×40 2");
    assert_eq!(found.products[2].description.trim().len(), "lang ".repeat(3_000).trim().len());

    // The same file once more changes nothing.
    let output = import(&stack, &file.path().display().to_string(), "csv").await;
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("0 added, 0 changed"), "{said}");
}

#[tokio::test]
async fn the_machines_package_index_becomes_a_catalogue() {
    let Some(index) = package_index().await else {
        #[expect(clippy::print_stderr, reason = "a skip is told loudly")]
        {
            eprintln!("SKIPPED: this machine has no Debian package index of {PACKAGES} entries");
        }
        return;
    };
    let stack = breakable().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(index.as_bytes()).unwrap();
    let output = import(&stack, &file.path().display().to_string(), "debian-index").await;
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{said}");
    let names: Vec<String> =
        index.lines().filter_map(|line| line.strip_prefix("Package: ")).map(str::to_owned).collect();
    let client = seller(&stack).await;
    let request =
        BatchGetProductsRequest { skus: names.iter().step_by(50).cloned().collect(), ..Default::default() };
    let found = client.catalog().batch_get_products(request).await.unwrap().into_inner();
    assert!(found.not_found.is_empty(), "{:?}\n{said}", found.not_found);
    assert!(found.products.iter().all(|product| !product.category_id.is_empty() && product.price.is_some()));
}

/// The first entries of `apt-cache dumpavail`, if there are enough.
async fn package_index() -> Option<String> {
    let output = Command::new("apt-cache").arg("dumpavail").output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let entries: Vec<&str> = text.split("\n\n").take(PACKAGES).collect();
    (entries.len() == PACKAGES).then(|| entries.join("\n\n") + "\n")
}
