import ArgumentParser
import Corefile
import Engine

/// `ringlet check`: the blocks of a Corefile, their directives in the order they run with what applies by default, and
/// what has no effect. Ends with 1 and the error where the file cannot be served.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ringlet check",
    abstract: "Say what a Corefile means, and what in it has no effect. Exit code 1 where it cannot be served.")

  @Argument(help: "Corefile, or a template if -localip or -kubednscm is given.")
  var file: String?
  @Flag(help: "Print the Corefile as it is served, and nothing else.")
  var rendered = false
  @OptionGroup var options: CorefileOptions

  func run() throws {
    let source = try options.source(file)
    if rendered { print(String(decoding: source.text, as: UTF8.self), terminator: "") }
    let configuration = try options.configuration(source)
    if !rendered {
      print(Self.report(configuration, of: source.name), terminator: "")
      for place in source.placeholders { print("\(place): only the installer or a rendering replaces it") }
    }
    do {
      // An interface of the nodes need not exist where the file is checked.
      let settings = try Settings(configuration, shards: 1, cacheBytes: 64 << 20) { name in
        let addresses = interfaceAddresses(name)
        return addresses.isEmpty ? [IPAddress("127.0.0.1")!] : addresses
      }
      if settings.listeners.isEmpty {
        throw Flags.Refusal(message: "\(source.name): no server block; expected 'zone:port { ... }'", status: 1)
      }
    } catch let error as CompileError {
      throw Flags.Refusal(message: "\(error)", status: 1)
    }
  }

  /// Each line after its place: a number in `file`, file and number in one that it imports.
  private static func report(_ configuration: Configuration, of file: String) -> String {
    var rows: [(place: String, text: String)] = []
    func place(_ location: SourceLocation) -> String { location.file == file ? "\(location.line)" : "\(location)" }
    for block in configuration.blocks {
      rows.append((place(block.location), block.title))
      let width = block.lines.map(\.directive.rawValue.count).max() ?? 0
      for line in block.lines {
        let name = line.directive.rawValue
        let gap = String(repeating: " ", count: width - name.count + 2)
        rows.append((place(line.location), "  \(name)\(line.text.isEmpty ? "" : gap + line.text)"))
        if let meaning = block.meaning(of: line) {
          rows.append(("", String(repeating: " ", count: width + 4) + "= \(meaning)"))
        }
      }
      rows.append(("", ""))
    }
    let width = rows.map(\.place.count).max() ?? 0
    var text = rows.map { row in
      row.text.isEmpty ? "\n" : "\(String(repeating: " ", count: width - row.place.count))\(row.place)  \(row.text)\n"
    }.joined()
    let without = configuration.ineffective
    if !without.isEmpty { text += without.joined(separator: "\n") + "\n" }
    let directives = configuration.blocks.reduce(0) { $0 + $1.lines.count }
    return text
      + "\(file): \(configuration.blocks.count) blocks, \(directives) directives, \(without.count) without effect\n"
  }
}

extension ServerBlock {
  /// `cluster.local.:53 on 169.254.20.10, eth0 (10.0.0.5)`
  var title: String {
    let zones = keys.map { "\($0.zone):\($0.port)" }.joined(separator: ", ")
    let addresses = bindAddresses.map { address in
      guard case .interface(let name) = address else { return "\(address)" }
      let found = interfaceAddresses(name).map { "\($0)" }
      return "\(name) (\(found.isEmpty ? "not on this machine" : found.joined(separator: ", ")))"
    }
    return "\(zones) on \(addresses.isEmpty ? "every address" : addresses.joined(separator: ", "))"
  }
}
