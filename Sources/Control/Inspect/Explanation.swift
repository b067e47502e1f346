import Corefile

/// The way of a question through a configuration, one step a line.
struct Explanation {
  private struct Step {
    var name: String
    var text: String
    var location: SourceLocation?
  }

  let text: String

  init(_ name: ZoneName, _ type: RecordType, in configuration: Configuration) {
    var text = "\(name) \(type.name)\n"
    for (block, listeners) in Self.serving(name, type, configuration) {
      let on = listeners.joined(separator: ", ")
      let steps =
        block.map { [Step(name: "block", text: "\($0.title)", location: $0.location)] + Self.steps(name, type, $0) }
        ?? [Step(name: "REFUSED", text: "on \(on): no block has a zone for it")]
      let width = steps.map(\.name.count).max() ?? 0
      for step in steps {
        let gap = String(repeating: " ", count: width - step.name.count + 2)
        text += "  \(step.name)\(gap)\(step.text)\(step.location.map { "  (\($0))" } ?? "")\n"
      }
    }
    self.text = text
  }

  /// The block that serves the name at each address and port, nil for none; in the file's order.
  private static func serving(
    _ name: ZoneName, _ type: RecordType, _ configuration: Configuration
  ) -> [(ServerBlock?, [String])] {
    var candidates: [(listener: String, block: ServerBlock, zone: ZoneName)] = []
    for block in configuration.blocks {
      let hosts = block.bindAddresses.isEmpty ? [""] : block.bindAddresses.map { "\($0)" }
      for key in block.keys {
        for host in hosts {
          let listener = host.contains(":") ? "[\(host)]:\(key.port)" : "\(host):\(key.port)"
          candidates.append((listener, block, key.zone))
        }
      }
    }
    var listeners: [String] = []
    for candidate in candidates where !listeners.contains(candidate.listener) { listeners.append(candidate.listener) }
    var found: [(ServerBlock?, [String])] = []
    for listener in listeners {
      let zones = candidates.filter { $0.listener == listener && $0.zone.contains(name) }
        .sorted { $0.zone.wire.count > $1.zone.wire.count }
      // A DS question is the parent's (RFC 4035 section 3.1.4.1): the shortest zone but the root.
      let chosen = type.name == "DS" ? zones.last { $0.zone != .root } ?? zones.last : zones.first
      if let same = found.firstIndex(where: { $0.0 == chosen?.block }) {
        found[same].1.append(listener)
      } else {
        found.append((chosen?.block, [listener]))
      }
    }
    return found
  }

  /// Directives that may answer or change the question, up to the one that surely answers.
  private static func steps(_ name: ZoneName, _ type: RecordType, _ block: ServerBlock) -> [Step] {
    var steps: [Step] = []
    for line in block.lines {
      var step = Step(name: line.directive.rawValue, text: line.text, location: line.location)
      switch line.directive {
      case .cache:
        guard let cache = block.cache, cache.zones.contains(where: { $0.contains(name) }) else { continue }
        step.text = "answers what it knows: \(cache.meaning)"
      case .acl: step.text = "may turn the client away: \(line.text)"
      case .any:
        guard type == .any else { continue }
        step.text = "answers with HINFO"
        return steps + [step]
      case .rewrite: step.text = "may change it: \(line.text)"
      case .dns64:
        guard type.name == "AAAA" else { continue }
        step.text = "may make AAAA records from A: \(block.meaning(of: line) ?? line.text)"
      case .template:
        guard let template = block.template.first(where: { $0.location == line.location }),
          template.zones.contains(where: { $0.contains(name) }),
          [type, .any].contains(template.recordType), [RecordClass(value: 1), .any].contains(template.recordClass)
        else { continue }
        step.text = "answers \(template.meaning)"
        if template.patterns.contains(".*") || !template.fallsThrough.contains(where: { $0.contains(name) }) {
          return steps + [step]
        }
      case .hosts:
        guard let hosts = block.hosts, hosts.zones.contains(where: { $0.contains(name) }) else { continue }
        step.text = "answers names it has: \(hosts.meaning)"
        if !hosts.fallsThrough.contains(where: { $0.contains(name) }) { return steps + [step] }
      case .forward:
        guard let forward = block.forward.first(where: { $0.location == line.location }), forward.from.contains(name),
          !forward.except.contains(where: { $0.contains(name) })
        else { continue }
        step.text = "asks \(forward.meaning)"
        return steps + [step]
      case .whoami:
        step.text = "answers with the client's address"
        return steps + [step]
      default: continue
      }
      steps.append(step)
    }
    return steps + [Step(name: "SERVFAIL", text: "no directive of the block answers it")]
  }
}
