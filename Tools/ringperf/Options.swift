import ArgumentParser

extension Family: ExpressibleByArgument {}
extension Transport: ExpressibleByArgument {}
extension ArrivalProcess: ExpressibleByArgument {}

/// A short flag as dnsperf has it, value joined or not, and a long one.
private func flag(_ short: Character, _ long: String) -> NameSpecification {
  [.customShort(short, allowingJoined: true), .customLong(long)]
}

/// Flags that mean what they mean to dnsperf.
struct BasicOptions: ParsableArguments {
  @Option(name: flag("s", "server"), help: .init("The server to query, a name or an address.", valueName: "host"))
  var server = "127.0.0.1"

  @Option(name: flag("p", "port"), help: .init("Its port.", valueName: "port"))
  var port = 53

  @Option(name: flag("m", "mode"), help: .init("Transport.", valueName: "transport"))
  var transport = Transport.udp

  @Option(name: flag("f", "family"), help: .init("Address family of the transport.", valueName: "family"))
  var family = Family.any

  @Option(name: flag("a", "local-address"), help: .init("Send from this local address.", valueName: "address"))
  var local: String?

  @Option(
    name: flag("d", "data"),
    help: .init("File of queries, '-' for standard input. (default: the Kubernetes mix)", valueName: "file"))
  var data: String?

  @Option(name: flag("n", "runs"), help: .init("Go through the queries this many times.", valueName: "times"))
  var runs: Int?

  @Option(
    name: flag("l", "limit"),
    help: .init(
      "Send for this many seconds. (default: without -n, 10 unless there is a file to go through)", valueName: "s"))
  var limit: Double?

  @Option(name: flag("c", "clients"), help: .init("Sockets to send from.", valueName: "count"))
  var clients = 1

  @Option(name: flag("T", "threads"), help: .init("Threads; sockets are shared out among them.", valueName: "count"))
  var threads = 1

  @Option(name: flag("q", "outstanding"), help: .init("Queries out at a time, of all clients.", valueName: "count"))
  var outstanding = 100

  @Option(name: flag("Q", "max-qps"), help: .init("Send at most this many queries a second.", valueName: "rate"))
  var maxRate: Double?

  @Option(name: flag("t", "timeout"), help: .init("A query without an answer is lost after so long.", valueName: "s"))
  var timeout = 5.0

  @Option(
    name: flag("b", "buffer"),
    help: .init("Buffers of a socket, for each direction. dnsperf leaves the system's default.", valueName: "KiB"))
  var buffer = 4096

  @Flag(name: [.customShort("e"), .customLong("edns")], help: "Add an OPT record that offers 4096 octets.")
  var edns = false

  @Flag(name: [.customShort("D"), .customLong("dnssec-ok")], help: "Set the DO bit; implies -e.")
  var dnssecOK = false

  @Option(
    name: flag("S", "statistics"),
    help: .init("Print the answers per second every so many seconds.", valueName: "s"))
  var statistics: Double?

  @Flag(
    name: [.customShort("v"), .customLong("verbose")],
    help: "Print a line for each query: its answer, T for a timeout, I for an interruption.")
  var verbose = false

  @Flag(name: [.customShort("W"), .customLong("warnings-to-output")], help: "Warnings and errors to standard output.")
  var warnsOnOutput = false
}

/// Flags for what leaves, and when, beyond dnsperf.
struct LoadOptions: ParsableArguments {
  @Option(help: .init("Open loop: this many queries a second, whatever comes back.", valueName: "qps"))
  var rate: Double?

  @Option(help: .init("How the instants of an open loop are spread.", valueName: "process"))
  var arrivals = ArrivalProcess.poisson

  @Option(
    help: .init(
      "Source sockets that each ask A and AAAA together, in place of the types of the file. In place of -c.",
      valueName: "count"))
  var pods: Int?

  @Flag(help: "Take names through the search path as a resolver does, up to the first positive answer.")
  var search = false

  @Option(
    help: .init(
      "Draw names by popularity: the n-th of the file with weight n^-s, not one after the other.", valueName: "s"))
  var zipf: Double?

  @Option(help: .init("The same seed gives the same names, instants and ids.", valueName: "number"))
  var seed: UInt64 = 1
}

/// Flags for what is reported.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Compare each answer with the first one to its question; exit 1 if one is wrong.")
  var verify = false

  @Flag(help: "Find the highest rate with fewer than 0.1 % unanswered.")
  var sweep = false

  @Option(help: .init("Length of each step of --sweep.", valueName: "s"))
  var sweepSeconds = 3.0

  @Option(help: .init("Plot rate against latency of --sweep into this file.", valueName: "file"))
  var svg: String?

  @Option(help: .init("Write the latencies' percentiles, in microseconds, in HdrHistogram's form.", valueName: "file"))
  var hgrm: String?

  @Option(
    defaultAsFlag: "-",
    help: .init(
      "Report as JSON into this file; without one, on standard output in place of the text.", valueName: "file"))
  var json: String?
}
