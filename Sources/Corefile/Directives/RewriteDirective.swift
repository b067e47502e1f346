/// `rewrite [continue|stop] FIELD ...`: a change of queries, undone in their answers.
public struct RewriteDirective: Hashable, Sendable {
  /// What follows a rule that applied.
  public enum Mode: String, Hashable, Sendable {
    case stop
    case `continue`
  }

  public enum Rule: Hashable, Sendable {
    case name(NameMatch, to: String, answer: Answer)
    case type(from: RecordType, to: RecordType)
    case recordClass(from: RecordClass, to: RecordClass)
    case ttl(NameMatch, ClosedRange<UInt32>)
    case responseCode(NameMatch, from: ResponseCode, to: ResponseCode)
    case cname(NameMatch, to: String)
    case edns(EDNSChange)
  }

  /// Which names a rule is for.
  public struct NameMatch: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
      case exact, prefix, suffix, substring, regex
    }
    public var kind: Kind
    /// In lower case but for `regex`, whose RE2 pattern stands as written; absolute for `exact` and `suffix`.
    public var text: String
  }

  /// How answers to a renamed query are changed.
  public struct Answer: Hashable, Sendable {
    public struct Replacement: Hashable, Sendable {
      public enum Part: String, Hashable, Sendable {
        /// Owner names.
        case name
        /// Names within record data.
        case value
      }
      public var part: Part
      /// In RE2 syntax.
      public var pattern: String
      /// In lower case; `{1}` stands for the first group.
      public var to: String
    }
    /// Names are turned back into those asked for; always so where a name matches exactly.
    public var isAutomatic = false
    /// In order.
    public var replacements: [Replacement] = []
  }

  public var location: SourceLocation
  public var mode = Mode.stop
  public var rule: Rule
}

/// A change of a query's EDNS options.
public struct EDNSChange: Hashable, Sendable {
  public enum Action: String, Hashable, Sendable {
    case append, replace, set, unset
  }

  public enum Option: Hashable, Sendable {
    case local(code: UInt16, LocalData)
    case nsid
    /// Bits of the client's address that are sent.
    case subnet(v4: UInt8, v6: UInt8)
  }

  public enum LocalData: Hashable, Sendable {
    case bytes([UInt8])
    case variable(Variable)
    /// What another directive has to say about the query.
    case metadata(String)
  }

  public enum Variable: String, Hashable, Sendable {
    case queryName = "qname"
    case queryType = "qtype"
    case clientIP = "client_ip"
    case clientPort = "client_port"
    case transport = "protocol"
    case serverIP = "server_ip"
    case serverPort = "server_port"
  }

  public var action: Action
  public var option: Option
  /// The answer gets back what the query had.
  public var reverts = false
}
