use std::process::Command;

const README: &str = include_str!("../../README.md");

#[test]
fn the_example_prints_what_its_readme_says() {
    let expected = README.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    let output = Command::new(env!("CARGO_BIN_EXE_soorma-example-02-external-agent")).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{errors}");
    assert_eq!(errors, "");
    assert!(output.status.success(), "{}", output.status);
}
