import ArgumentParser
import Network
import Rings

/// Every flag with its type, default and one line of help, in swift-argument-parser's terms. `Flags` is what the
/// program sees; `GoFlagSyntax` turns the command line into words that this reads.
struct FlagTable: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node-cache",
    abstract: "Ringlet: a node-local DNS cache, in place of Kubernetes' node-cache.",
    usage: "node-cache -localip <ip>[,<ip>...] [-conf <path>] [flags]",
    discussion: """
      Flags take one dash or two, and a value after '=' or as the next word. Booleans take a value \
      only after '=': -skipteardown, -setupiptables=false.

      'ringlet check FILE' says what a Corefile means, 'ringlet explain NAME [TYPE] -conf FILE' who serves a name; \
      each has its own --help. 'ringlet supervise FLAGS' runs 'ringlet FLAGS', and again with its sockets and cache if it \
      dies.
      """,
    helpNames: [])

  /// Booleans, for `GoFlagSyntax`, which must know that they take no second word.
  static let switches: Set<String> = ["skipteardown", "reloadwithsignal", "quiet", "plugins", "version"]
  static let toggles: Set<String> = ["setupinterface", "setupiptables"]

  @OptionGroup(title: "Addresses") var addresses: Addresses
  @OptionGroup(title: "Configuration") var configuration: Files
  @OptionGroup(title: "Network set-up") var network: Network
  @OptionGroup(title: "Process") var process: Process
  @OptionGroup(title: "Size") var size: Size
  @OptionGroup(title: "Information, then exit") var information: Information

  struct Addresses: ParsableArguments {
    @Option(
      name: .go("localip"), help: .of("Addresses to answer on, required: no spaces, both families allowed.", "ip,..."))
    var localip = ""
    @Option(
      name: .go("dns.port", "p"), help: .of("Default port of server blocks, and the firewall rules' port.", "port"))
    var port: UInt16 = 53
    @Option(
      name: .go("health-port"),
      help: .of("Port that two firewall rules let pass; the server is 'health' in the Corefile.", "port"))
    var healthPort = "8080"
    @Option(
      name: .go("metrics-listen-address"), help: .of("Where /metrics with the set-up metrics is served.", "host:port"))
    var metricsListenAddress = "0.0.0.0:9353"
    @Option(
      name: .go("prometheus-listen-address"),
      help: .of("What __PROMETHEUS__ENDPOINT__ becomes in the template.", "host:port"))
    var prometheusListenAddress = ":9253"
  }

  struct Files: ParsableArguments {
    @Option(
      name: .go("conf"),
      help: .of("Corefile to serve, and to write when there is a template; 'stdin' reads it.", "path"))
    var conf = ""
    @Option(name: .go("corefile"), help: .of("Used where -conf is absent.", "path"))
    var corefile = ""
    @Option(name: .go("basecorefile"), help: .of("Template of the Corefile; its directory is watched.", "path"))
    var basecorefile = "/etc/coredns/Corefile.base"
    @Option(
      name: .go("kubednscm"), help: .of("Directory with the kube-dns ConfigMap; /etc/kube-dns if it exists.", "dir"))
    var kubednscm = ""
    @Option(name: .go("upstreamsvc"), help: .of("Service whose address replaces __PILLAR__CLUSTER__DNS__.", "name"))
    var upstreamsvc = "kube-dns"
  }

  struct Network: ParsableArguments {
    @Option(name: .go("setupinterface"), help: .of("Create and keep the dummy interface.", "bool"))
    var setupinterface = true
    @Option(name: .go("interfacename"), help: .of("Name of that interface.", "name"))
    var interfacename = "nodelocaldns"
    @Option(name: .go("setupiptables"), help: .of("Keep the firewall rules.", "bool"))
    var setupiptables = true
    @Option(
      name: .go("firewall"),
      help: .of("What sets those rules: iptables, nftables, none, or auto for the first that works.", "how"))
    var firewall = NetworkConfiguration.Firewall.iptables
    @Option(
      name: .go("syncinterval"), help: .of("How often both are checked: seconds, or a duration such as 1m30s.", "time"))
    var syncinterval = SyncInterval(seconds: 60)
    @Flag(name: .go("skipteardown"), help: "Leave both behind on exit.")
    var skipteardown = false
  }

  struct Process: ParsableArguments {
    @Option(
      name: .go("ring"),
      help: .of("What queries come through: io_uring, epoll, or auto for io_uring if all of it works here.", "kind"))
    var ring = RingChoice.auto
    @Flag(name: .go("reloadwithsignal"), help: "Reload at once when the Corefile was rewritten.")
    var reloadwithsignal = false
    @Option(name: .go("pidfile"), help: .of("Where to write the process id once the servers are up.", "path"))
    var pidfile = ""
    @Flag(name: .go("quiet"), help: "No zone list and version lines at start.")
    var quiet = false
  }

  struct Size: ParsableArguments {
    @Option(
      name: .go("shards"),
      help: .of("Threads that answer; 0 is one for each CPU this process may use, at most 4.", "count"))
    var shards: UInt8 = 0
    @Option(name: .go("cache-bytes"), help: .of("Upper limit of all caches' memory: 67108864, 64MiB, 64M.", "size"))
    var cacheBytes: ByteSize?
  }

  struct Information: ParsableArguments {
    @Flag(name: .go("plugins"), help: "List the directives.")
    var plugins = false
    @Flag(name: .go("version"), help: "Show the version.")
    var version = false
  }
}

extension NameSpecification {
  /// Names with one dash, as Go shows them.
  fileprivate static func go(_ names: String...) -> NameSpecification {
    NameSpecification(names.map { $0.count == 1 ? .customShort($0.first!) : .customLong($0, withSingleDash: true) })
  }
}

extension ArgumentHelp {
  fileprivate static func of(_ text: String, _ valueName: String) -> ArgumentHelp {
    ArgumentHelp(stringLiteral: text).with(valueName)
  }

  private func with(_ valueName: String) -> ArgumentHelp {
    var help = self
    help.valueName = valueName
    return help
  }
}
