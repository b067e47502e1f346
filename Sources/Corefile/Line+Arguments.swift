extension Line {
  /// Go's duration, never negative; a bare number is an error.
  func timeSpan(_ token: Token) throws(CorefileError) -> TimeSpan {
    do throws(TimeSpan.Malformed) {
      return try TimeSpan(token.text)
    } catch {
      throw failure("\(error), expected a duration such as 30s or 1h30m", at: token)
    }
  }

  /// A decimal number in `range`; `what` names it in the error.
  func number(_ token: Token, in range: ClosedRange<Int>, _ what: String) throws(CorefileError) -> Int {
    guard let number = Int(token.text) else {
      throw failure("\(what) is not a number: \"\(token.text)\"", at: token)
    }
    guard range.contains(number) else {
      throw failure("\(what) must be from \(range.lowerBound) to \(range.upperBound): \(number)", at: token)
    }
    return number
  }

  func zone(_ token: Token) throws(CorefileError) -> ZoneName {
    guard let zone = ZoneName(token.text) else {
      throw failure("not a valid domain name: \"\(token.text)\"", at: token)
    }
    return zone
  }

  /// Every zone the arguments name, networks expanded, ports dropped.
  func zones(_ tokens: ArraySlice<Token>, session: ParseSession) throws(CorefileError) -> [ZoneName] {
    var all: [ZoneName] = []
    for token in tokens {
      var host = Substring(token.text)
      _ = takePort(&host)
      guard let zones = try Corefile.zones(String(host), at: token.location, session: session) else {
        throw failure("unable to normalize '\(token.text)'", at: token)
      }
      all += zones
    }
    return all
  }

  func listenAddress(_ token: Token) throws(CorefileError) -> ListenAddress {
    guard let address = ListenAddress(token.text) else {
      throw failure("not an address and port: \"\(token.text)\", expected [HOST]:PORT", at: token)
    }
    return address
  }
}

extension Line {
  func recordType(_ token: Token) throws(CorefileError) -> RecordType {
    guard let type = RecordType(name: token.text) else { throw failure("invalid type \"\(token.text)\"", at: token) }
    return type
  }

  func recordClass(_ token: Token) throws(CorefileError) -> RecordClass {
    guard let found = RecordClass(name: token.text) else { throw failure("invalid class \"\(token.text)\"", at: token) }
    return found
  }

  func responseCode(_ token: Token) throws(CorefileError) -> ResponseCode {
    guard let code = ResponseCode(name: token.text) else {
      throw failure("\(token.text) is not a valid rcode", at: token)
    }
    return code
  }

  /// A regular expression in RE2 syntax, held to CoreDNS's length; it is compiled elsewhere.
  func pattern(_ token: Token) throws(CorefileError) -> String {
    let length = token.text.utf8.count
    if length > 10_000 { throw failure("regex pattern too long: \(length) > 10000", at: token) }
    return token.text
  }
}
