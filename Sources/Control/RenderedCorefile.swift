import Corefile
import Glibc
import Logging
import Template

/// The file of `-conf`, made from the template and the kube-dns ConfigMap whenever one of them says something new
/// (`spec/drop-in.md` a.3, a.4). Where something is wrong it says so once, counts it, and leaves the file as it is.
struct RenderedCorefile {
  /// What was read, and so decides whether there is anything to do.
  private struct Sources: Equatable {
    /// Why it cannot be read, or the template.
    var template: Result<[UInt8], SystemError>
    /// The ConfigMap's values by key.
    var values: Result<[String: [UInt8]], SystemError>
  }

  private let flags: Flags
  private let values: Template.Values
  /// The kube-dns ConfigMap's, nil where there is none to watch.
  private let kubeDNSDirectory: String?
  private let logger: Logger
  private let errors: SetupErrors
  private var sources: Sources?
  /// The last good one.
  private var config = KubeDNSConfig()
  private var rendered: String?

  init(_ flags: Flags, _ logger: Logger, _ errors: SetupErrors) {
    self.flags = flags
    self.logger = logger
    self.errors = errors
    values = Template.Values(flags, .process)
    kubeDNSDirectory = flags.kubeDNSDirectory ?? (Self.exists(Self.standardDirectory) ? Self.standardDirectory : nil)
    if kubeDNSDirectory == nil {
      logger.info("No -kubednscm and no \(Self.standardDirectory): no kube-dns ConfigMap is read")
    }
    do { _ = try values.clusterDNS.address() } catch { logger.warning("-upstreamsvc: \(error)") }
  }

  /// To watch for changes.
  var directories: [String] { [directory(of: flags.baseCorefile)] + (kubeDNSDirectory.map { [$0] } ?? []) }

  /// Reads the sources, and writes the Corefile where they say something new. Whether it was written.
  mutating func update() -> Bool {
    let sources = Sources(
      template: Self.contents(flags.baseCorefile), values: kubeDNSDirectory.map { Self.configMap($0) } ?? .success([:]))
    if sources == self.sources { return false }
    self.sources = sources
    do {
      guard let text = String(validating: try sources.template.get(), as: UTF8.self) else {
        fail("Failed to read node-cache coreFile \(flags.baseCorefile) - it is not UTF-8")
        return false
      }
      guard let path = flags.corefile, path != "stdin" else {
        fail("\(flags.baseCorefile) is not used: a template needs the path of a file to write, as -conf")
        return false
      }
      return write(try render(Template(text), readConfig(sources.values)), to: path)
    } catch let error as ClusterDNS.Unknown {
      fail("Failed to render \(flags.baseCorefile) - \(error)")
    } catch {
      fail("Failed to read node-cache coreFile \(flags.baseCorefile) - \(error)")
    }
    return false
  }

  /// The kube-dns ConfigMap's values by key, as it is mounted. A key that is not there, or no ConfigMap at all, is the
  /// default.
  static func configMap(_ directory: String) -> Result<[String: [UInt8]], SystemError> {
    var values: [String: [UInt8]] = [:]
    for key in KubeDNSConfig.keys {
      switch contents("\(directory)/\(key)") {
      case .success(let bytes): values[key] = bytes
      case .failure(let error) where error.errno == ENOENT: continue
      case .failure(let error): return .failure(error)
      }
    }
    return .success(values)
  }

  /// The ConfigMap's, nil where it is not to be used.
  private func readConfig(_ values: Result<[String: [UInt8]], SystemError>) -> KubeDNSConfig? {
    do {
      return try KubeDNSConfig(try values.get(), environment: .process)
    } catch {
      fail("Ignored kube-dns ConfigMap \(kubeDNSDirectory ?? "") - \(error)")
      return nil
    }
  }

  /// With a new configuration, unless that alone makes it a Corefile that cannot be read: then with the last good one.
  private mutating func render(
    _ template: Template, _ new: KubeDNSConfig?
  ) throws(ClusterDNS.Unknown) -> Template.Rendering {
    let before = try template.render(values, config)
    guard let new, new != config else { return before }
    let after = try template.render(values, new)
    if let fault = self.fault(in: after), self.fault(in: before) == nil {
      fail("Ignored kube-dns ConfigMap \(kubeDNSDirectory ?? "") - rendered with it: \(fault)")
      return before
    }
    config = new
    return after
  }

  private func fault(in rendering: Template.Rendering) -> CorefileError? {
    do throws(CorefileError) {
      let name = flags.corefile ?? flags.baseCorefile
      _ = try parse(Array(rendering.text.utf8), file: name, defaultPort: flags.dnsPort, environment: .process)
      return nil
    } catch {
      return error
    }
  }

  private mutating func write(_ rendering: Template.Rendering, to path: String) -> Bool {
    if rendering.text == rendered { return false }
    rendered = rendering.text
    if rendering.lacksTCPBlock { logger.warning("Did not find TCP upstream block to replace") }
    if Self.contents(path) == .success(Array(rendering.text.utf8)) { return false }
    do throws(SystemError) {
      try TextFile.write(rendering.text, to: path)
    } catch {
      fail("Failed to write config file \(path) - err \(error)")
      return false
    }
    logger.info(
      "Updated Corefile with \(config.stubDomains.count) custom stubdomains and upstream servers \(rendering.upstreams)"
    )
    logger.info("Using config file:\n\(rendering.text)")
    return true
  }

  private func fail(_ message: String) {
    logger.error("\(message)")
    errors.count(.configMap)
  }

  private static let standardDirectory = "/etc/kube-dns"

  private static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// A ConfigMap holds 1 MiB at most.
  private static func contents(_ path: String) -> Result<[UInt8], SystemError> {
    Result { () throws(SystemError) in try TextFile.bytes(path, limit: 1 << 20) }
  }
}

extension Template.Values {
  init(_ flags: Flags, _ environment: Environment) {
    self.init(
      localIPs: flags.localIPs, clusterDNS: ClusterDNS(service: flags.upstreamService, environment: environment),
      prometheusEndpoint: flags.prometheusListenAddress, port: flags.dnsPort)
  }
}

/// Where a file lies: `.` for a bare name.
private func directory(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
