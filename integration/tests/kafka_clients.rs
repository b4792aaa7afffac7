//! Every client that other tests use speaks to a broker, with nothing of ours between them: what fails there fails here.

use partywall_integration::kafka::{Brokers, Client, Options};

#[test]
fn each_client_reads_what_the_others_wrote() {
    let brokers = Brokers::start(&Options { name: "clients", ..Options::default() }).unwrap();
    let at = brokers.bootstrap();
    brokers.tool("TopicCommand", &["--create", "--topic", "orders", "--partitions", "2"]).unwrap().succeeds().unwrap();

    let kcat = |arguments: &[&str], input: &str| {
        let all = [&["-b", &*at], arguments].concat();
        Client::kcat().unwrap().run(&all, input).unwrap().succeeds().unwrap()
    };
    kcat(&["-P", "-t", "orders"], "by kcat\n");
    let console = ["--bootstrap-server", &*at, "--topic", "orders"];
    Client::tool("ConsoleProducer").unwrap().run(&console, "by java\n").unwrap().succeeds().unwrap();
    for (program, record) in [("librdkafka", "by librdkafka"), ("aiokafka_client", "by aiokafka")] {
        let program = Client::python_program(program).unwrap();
        program.run(&["produce", &at, "orders", record], "").unwrap().succeeds().unwrap();
    }

    let expected = ["by aiokafka", "by java", "by kcat", "by librdkafka"];
    let sorted = |told: String| {
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(kcat(&["-C", "-t", "orders", "-e", "-q"], "")), expected, "kcat");
    let read = [&console[..], &["--from-beginning", "--max-messages", "4", "--timeout-ms", "20000"]].concat();
    let told = Client::tool("consumer.ConsoleConsumer").unwrap().run(&read, "").unwrap().succeeds().unwrap();
    assert_eq!(sorted(told), expected, "java");
    for program in ["librdkafka", "aiokafka_client"] {
        let ran = Client::python_program(program).unwrap().run(&["consume", &at, "orders", "4", program], "").unwrap();
        assert_eq!(sorted(ran.succeeds().unwrap()), expected, "{program}");
    }
}
