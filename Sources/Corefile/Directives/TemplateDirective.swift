/// `template CLASS TYPE [ZONES...] { ... }`: answers made from a pattern.
public struct TemplateDirective: Hashable, Sendable {
  /// The extended error of the answer (RFC 8914).
  public struct ExtendedError: Hashable, Sendable {
    public var code: UInt16
    public var text: String?
  }

  public var location: SourceLocation
  public var recordClass: RecordClass
  public var recordType: RecordType
  /// Those given, or the block's.
  public var zones: [ZoneName]
  /// Regular expressions in RE2 syntax, tried in order; not empty.
  public var patterns: [String] = []
  /// Records in presentation form, filled in per query.
  public var answer: [TemplateText] = []
  public var authority: [TemplateText] = []
  public var additional: [TemplateText] = []
  public var responseCode = ResponseCode.noError
  public var extendedError: ExtendedError?
  /// Zones whose names go on to the next directive where no pattern matches; empty for none.
  public var fallsThrough: [ZoneName] = []
}

extension TemplateDirective {
  init(_ statement: Statement, zones blockZones: [ZoneName], session: ParseSession) throws(CorefileError) {
    let line = statement.line
    location = line.location
    try line.requireArguments(2...Int.max, usage: "template CLASS TYPE [ZONES...]")
    recordClass = try line.recordClass(line.words[1])
    recordType = try line.recordType(line.words[2])
    let names = line.words[3...]
    zones = names.isEmpty ? blockZones : try line.zones(names, session: session)
    for option in statement.body { try add(option, session: session) }
    if patterns.isEmpty { patterns = [".*"] }
  }

  private mutating func add(_ option: Line, session: ParseSession) throws(CorefileError) {
    switch option.name.text {
    case "match":
      try option.requireArguments(1...Int.max, usage: "match REGEXP...")
      for token in option.arguments { patterns.append(try option.pattern(token)) }
    case "answer": answer += try records(option)
    case "authority": authority += try records(option)
    case "additional": additional += try records(option)
    case "rcode":
      try option.requireArguments(1...1, usage: "rcode CODE")
      responseCode = try option.responseCode(option.words[1])
    case "ederror":
      try option.requireArguments(1...2, usage: "ederror CODE [TEXT]")
      let code = UInt16(try option.number(option.words[1], in: 0...65535, "extended DNS error code"))
      extendedError = ExtendedError(code: code, text: option.words.count > 2 ? option.words[2].text : nil)
    case "fallthrough": fallsThrough = try option.fallthroughZones(session: session)
    case "upstream": break
    default: throw option.unknownProperty()
    }
  }

  private func records(_ option: Line) throws(CorefileError) -> [TemplateText] {
    try option.requireArguments(1...Int.max, usage: "\(option.name.text) RECORD...")
    var records: [TemplateText] = []
    for token in option.arguments { records.append(try TemplateText(token, option)) }
    return records
  }
}
