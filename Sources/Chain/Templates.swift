import Corefile
import Engine
import Wire

/// `template`: answers made from a pattern. The first template for the query's zone, class and type decides.
struct Templates: Stage {
  private let templates: [Template]

  init(_ directives: [TemplateDirective], _ counts: ChainCounts) throws(CorefileError) {
    var templates: [Template] = []
    for directive in directives { templates.append(try Template(directive, counts)) }
    self.templates = templates
  }

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    for template in templates {
      guard let zone = template.zone(for: query) else { continue }
      if let match = template.match(query.name) { return template.answer(query, zone, match, next) }
      if !template.fallsThrough(query.name) { return .fail(Rcode.servFail, .resolver) }
    }
    return next(query)
  }
}

/// One template, its patterns compiled and its constant records read.
struct Template: Sendable {
  struct Match {
    let pattern: Int
    let name: [UInt8]
    let groups: [Range<Int>?]
  }

  private enum Line: Sendable {
    case record(ResourceRecord)
    case text(TemplateText)
  }

  private let directive: TemplateDirective
  private let patterns: [Pattern]
  private let lines: [(section: Message.Section, line: Line)]
  private let counts: ChainCounts

  init(_ directive: TemplateDirective, _ counts: ChainCounts) throws(CorefileError) {
    self.directive = directive
    self.counts = counts
    patterns = try Self.patterns(directive)
    var lines: [(Message.Section, Line)] = []
    for (section, texts) in [
      (Message.Section.answers, directive.answer), (.authorities, directive.authority),
      (.additionals, directive.additional),
    ] {
      for text in texts { lines.append((section, try Self.line(text, directive, patterns))) }
    }
    self.lines = lines
  }

  private static func patterns(_ directive: TemplateDirective) throws(CorefileError) -> [Pattern] {
    var patterns: [Pattern] = []
    for text in directive.patterns {
      do {
        patterns.append(try Pattern(text))
      } catch {
        throw Self.failure("could not parse regex: `\(text)`: \(error)", directive)
      }
    }
    return patterns
  }

  private static func failure(_ message: String, _ directive: TemplateDirective) -> CorefileError {
    CorefileError("plugin/template: \(message)", at: directive.location, directive: "template")
  }

  /// A constant line is read once, here; one with places has them checked.
  private static func line(
    _ text: TemplateText, _ directive: TemplateDirective, _ patterns: [Pattern]
  ) throws(CorefileError) -> Line {
    var constant = ""
    var isConstant = true
    for piece in text.pieces {
      switch piece {
      case .text(let part): constant += part
      case .field: isConstant = false
      case .match(let number):
        isConstant = false
        if !patterns.contains(where: { number < $0.groups }) {
          throw failure("index .Match \(number): no pattern has \(number) groups", directive)
        }
      case .group(let name):
        isConstant = false
        let isKnown = patterns.contains { pattern in
          pattern.groupNames.contains(name) || (0..<pattern.groups).contains(Int(name) ?? -1)
        }
        if !isKnown {
          throw failure(".Group.\(name): no pattern has such a group", directive)
        }
      }
    }
    guard isConstant else { return .text(text) }
    do {
      return .record(try RecordText.parse(constant))
    } catch {
      throw failure("not a resource record: \"\(constant)\": \(error)", directive)
    }
  }

  /// The longest of its zones that the query is in, if it is for the query's class and type too.
  func zone(for query: ChainQuery) -> ZoneName? {
    guard directive.recordClass == .any || query.recordClass == 255 || directive.recordClass.value == query.recordClass,
      directive.recordType == .any || query.type == 255 || directive.recordType.value == query.type
    else { return nil }
    return directive.zones.longest(above: query.name)
  }

  func match(_ name: ZoneName) -> Match? {
    let text = Array(name.text.utf8)
    for (index, pattern) in patterns.enumerated() {
      if let groups = pattern.firstMatch(in: text) { return Match(pattern: index, name: text, groups: groups) }
    }
    return nil
  }

  func fallsThrough(_ name: ZoneName) -> Bool { directive.fallsThrough.contains { $0.contains(name) } }

  func answer(
    _ query: ChainQuery, _ zone: ZoneName, _ match: Match, _ next: @escaping @Sendable (ChainQuery) -> Outcome
  ) -> Outcome {
    // Classes and types without a name are one: else clients could make as many series as they like.
    let labels = [
      "zone": zone.text, "class": Self.label(className(query.recordClass), "CLASS"),
      "type": Self.label(RecordType(value: query.type).name, "TYPE"),
    ]
    counts.add(.templateMatches, server: query.inquiry.listener, labels: labels)
    var message = Message(flags: Header.aa, rcode: directive.responseCode.value, by: .template)
    message.options = extendedError
    for (section, line) in lines {
      switch line {
      case .record(let record): message[section].append(record)
      case .text(let text):
        let filled = filled(text, query, zone, match)
        guard let filled, let record = try? RecordText.parse(filled) else {
          let more = ["section": Self.label(section), "template": Self.source(text)]
          counts.add(
            filled == nil ? .templateFailures : .recordFailures, server: query.inquiry.listener,
            labels: labels.merging(more) { $1 })
          return .fail(Rcode.servFail, .malformedTemplate)
        }
        message[section].append(record)
      }
    }
    return completed(message, query, next)
  }

  /// Addresses behind an alias that the template gave are looked up, once.
  private func completed(
    _ message: Message, _ query: ChainQuery, _ next: @escaping @Sendable (ChainQuery) -> Outcome
  ) -> Outcome {
    guard query.type == Wire.RecordType.a || query.type == Wire.RecordType.aaaa,
      let alias = message.answers.last, alias.type == Wire.RecordType.cname
    else { return .answer(message) }
    var target = query
    target.name = ZoneName(wire: WireName.folded(alias.data))
    let found = next(target)
    if case .fail = found { return .answer(message) }
    return found.map { answer in
      var whole = message
      whole.flags |= answer.flags & Header.tc
      whole.answers += answer.answers
      return .answer(whole)
    }
  }

  /// Extended DNS error (RFC 8914 §2).
  private var extendedError: [UInt8] {
    guard let error = directive.extendedError else { return [] }
    let text = Array((error.text ?? "").utf8)
    var option: [UInt8] = [0, 15]
    option.append(u16: UInt16(clamping: 2 + text.count))
    option.append(u16: error.code)
    return option + text
  }

  /// nil: the pattern that fits has no group of a number that the template asks for; another one has.
  private func filled(_ text: TemplateText, _ query: ChainQuery, _ zone: ZoneName, _ match: Match) -> String? {
    var filled = ""
    for piece in text.pieces {
      switch piece {
      case .text(let part): filled += part
      case .field(.name): filled += query.name.text
      case .field(.zone): filled += zone.text
      case .field(.recordClass): filled += className(query.recordClass)
      case .field(.type): filled += RecordType(value: query.type).name
      case .field(.remote): filled += IPAddress(bytes: query.inquiry.peer.host).description
      case .match(let number):
        guard let group = group(number, match) else { return nil }
        filled += group
      case .group(let name):
        filled += group(patterns[match.pattern].groupNames.firstIndex(of: name) ?? Int(name) ?? Int.max, match) ?? ""
      }
    }
    return filled
  }

  /// Empty if it took no part in the match; nil: the pattern has no such group.
  private func group(_ number: Int, _ match: Match) -> String? {
    guard match.groups.indices.contains(number) else { return nil }
    return match.groups[number].map { String(decoding: match.name[$0], as: UTF8.self) } ?? ""
  }

  private static func label(_ name: String, _ nameless: String) -> String { name.hasPrefix(nameless) ? "" : name }

  private static func label(_ section: Message.Section) -> String {
    switch section {
    case .answers: "answer"
    case .authorities: "authority"
    case .additionals: "additional"
    }
  }

  /// A template as it stands in the file, about.
  private static func source(_ text: TemplateText) -> String {
    text.pieces.map { piece in
      switch piece {
      case .text(let part): part
      case .field(let field): "{{ .\(field.rawValue) }}"
      case .match(let number): "{{ index .Match \(number) }}"
      case .group(let name): "{{ .Group.\(name) }}"
      }
    }.joined()
  }
}

/// Classes as CoreDNS prints them (IANA DNS CLASSes).
func className(_ value: UInt16) -> String {
  switch value {
  case 1: "IN"
  case 3: "CH"
  case 4: "HS"
  case 254: "NONE"
  case 255: "ANY"
  default: "CLASS\(value)"
  }
}
