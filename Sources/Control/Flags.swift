import Glibc
import Network
import Rings

/// node-cache's command line, read and checked. Where node-cache had a bug, the contract is kept and the bug is not:
/// `-syncinterval` reads as people write it, `-corefile` counts, `-version` and `-plugins` need no `-localip`, and
/// both address families may be mixed.
public struct Flags: Sendable, Equatable {
  /// At least one IPv4 or IPv6 address each, as written.
  public var localIPs: [String]
  /// `-conf`, or else `-corefile`. Nil when neither was given: `./Corefile` if it exists, else the built-in default.
  public var corefile: String?
  public var baseCorefile: String
  /// Nil: `/etc/kube-dns` if that exists.
  public var kubeDNSDirectory: String?
  public var upstreamService: String
  public var setupInterface: Bool
  public var interfaceName: String
  public var setupIPTables: Bool
  /// Of no meaning without `setupIPTables`.
  public var firewall: NetworkConfiguration.Firewall
  public var skipTeardown: Bool
  /// Above zero.
  public var syncInterval: Duration
  /// Unchecked: an address that cannot be served is logged, and not fatal.
  public var metricsListenAddress: String
  public var prometheusListenAddress: String
  public var healthPort: UInt16
  public var dnsPort: UInt16
  public var ring: RingChoice
  public var reloadWithSignal: Bool
  public var pidfile: String?
  public var quiet: Bool
  /// Zero: `ProcessorQuota.shards()`.
  public var shards: Int
  /// Upper limit of the caches' memory in bytes; nil where the flag was not given.
  public var cacheBytes: Int?

  /// What a command line asks for.
  public enum Request: Sendable, Equatable {
    case serve(Flags)
    /// Text for standard output, then exit 0.
    case help(String)
    case version
    case plugins
  }

  /// Why a command line is refused. Status 1 is for values that make no sense, 2 for what is no flag or no value; the
  /// message then ends with the usage.
  public struct Refusal: Error, Sendable, Equatable {
    /// Without a last newline.
    public let message: String
    public let status: Int32
  }

  /// Reads `arguments`, which do not include the program's name.
  public static func parse(_ arguments: [String]) throws(Refusal) -> Request {
    let table: FlagTable
    let leftovers: [String]
    do {
      let syntax = try GoFlagSyntax(arguments, switches: FlagTable.switches, toggles: FlagTable.toggles)
      if syntax.wantsHelp { return .help(FlagTable.helpMessage(columns: 120)) }
      leftovers = syntax.leftovers
      guard let parsed = try FlagTable.parseAsRoot(syntax.words) as? FlagTable else {
        return .help(FlagTable.helpMessage(columns: 120))
      }
      table = parsed
    } catch {
      let message = (error as? GoFlagSyntax.Malformed)?.message ?? goWording(FlagTable.message(for: error))
      throw Refusal(message: "\(message)\n\n\(FlagTable.helpMessage(columns: 120))", status: 2)
    }
    guard leftovers.isEmpty else {
      throw Refusal(message: "extra command line arguments: [\(leftovers.joined(separator: " "))]", status: 1)
    }
    if table.information.version { return .version }
    if table.information.plugins { return .plugins }
    return .serve(try Flags(table))
  }

  /// The parser's word for an unknown flag as Go says it: scripts look for it.
  private static func goWording(_ message: String) -> String {
    let start = "Unknown option '"
    guard message.hasPrefix(start) else { return message }
    return "flag provided but not defined: \(message.dropFirst(start.count).prefix { $0 != "'" })"
  }

  private init(_ table: FlagTable) throws(Refusal) {
    localIPs = table.addresses.localip.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for address in localIPs where !Flags.isAddress(address) {
      throw Refusal(message: "invalid localip specified - \"\(address)\"", status: 1)
    }
    guard let healthPort = UInt16(table.addresses.healthPort) else {
      throw Refusal(message: "invalid healthcheck port specified - \"\(table.addresses.healthPort)\"", status: 1)
    }
    self.healthPort = healthPort
    let files = table.configuration
    corefile = [files.conf, files.corefile].first { !$0.isEmpty }
    baseCorefile = files.basecorefile
    kubeDNSDirectory = files.kubednscm.isEmpty ? nil : files.kubednscm
    upstreamService = files.upstreamsvc
    setupInterface = table.network.setupinterface
    interfaceName = table.network.interfacename
    setupIPTables = table.network.setupiptables
    firewall = table.network.firewall
    skipTeardown = table.network.skipteardown
    syncInterval = table.network.syncinterval.duration
    metricsListenAddress = table.addresses.metricsListenAddress
    prometheusListenAddress = table.addresses.prometheusListenAddress
    dnsPort = table.addresses.port
    ring = table.process.ring
    reloadWithSignal = table.process.reloadwithsignal
    pidfile = table.process.pidfile.isEmpty ? nil : table.process.pidfile
    quiet = table.process.quiet
    shards = Int(table.size.shards)
    cacheBytes = table.size.cacheBytes?.bytes
  }

  private static func isAddress(_ text: String) -> Bool {
    var space = in6_addr()
    // Sound: inet_pton writes 4 or 16 bytes for these families, and in6_addr has 16.
    return unsafe inet_pton(AF_INET, text, &space) == 1 || inet_pton(AF_INET6, text, &space) == 1
  }
}
