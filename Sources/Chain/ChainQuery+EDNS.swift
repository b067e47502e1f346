import Corefile
import Engine
import Wire

extension ChainQuery {
  /// Changes the options that an upstream is sent. The client's own options stay here: one that a rule names counts as
  /// present. False: there was nothing to do.
  mutating func apply(_ change: EDNSChange) -> Bool {
    let (code, data) = value(of: change.option)
    guard let data else { return false }
    let mine = options.firstIndex { $0.code == code }
    let theirs = mine == nil ? clientOption(code) : nil
    switch change.action {
    case .unset:
      options.removeAll { $0.code == code }
      return mine != nil || theirs != nil
    case .append:
      // What is there stays.
      if let theirs { options.append((code, theirs)) } else if mine == nil { options.append((code, data)) }
    case .replace where mine == nil && theirs == nil: return false
    case .replace, .set:
      if let mine { options[mine].data = data } else { options.append((code, data)) }
    }
    return true
  }

  private func clientOption(_ code: UInt16) -> [UInt8]? {
    let bytes = inquiry.options
    var at = 0
    while at + 4 <= bytes.count {
      let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
      guard at + 4 + length <= bytes.count else { return nil }
      if UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) == code { return Array(bytes[(at + 4)..<(at + 4 + length)]) }
      at += 4 + length
    }
    return nil
  }

  /// nil data: nothing is known to put there.
  private func value(of option: EDNSChange.Option) -> (UInt16, [UInt8]?) {
    switch option {
    case .nsid: (EDNS.nsid, [])
    case .subnet(let v4, let v6): (8, subnet(v4: Int(v4), v6: Int(v6)))
    case .local(let code, .bytes(let bytes)): (code, bytes)
    case .local(let code, .variable(let variable)): (code, value(of: variable))
    // No directive has metadata to give.
    case .local(let code, .metadata): (code, nil)
    }
  }

  private func value(of variable: EDNSChange.Variable) -> [UInt8] {
    switch variable {
    case .queryName: Array(name.text.utf8)
    case .queryType: Self.octets(type)
    case .clientIP: inquiry.peer.host
    case .clientPort: Self.octets(inquiry.peer.port)
    case .transport: Array((inquiry.isStream ? "tcp" : "udp").utf8)
    case .serverIP: inquiry.serverHost
    case .serverPort: Self.octets(inquiry.serverPort)
    }
  }

  private static func octets(_ value: UInt16) -> [UInt8] {
    var octets: [UInt8] = []
    octets.append(u16: value)
    return octets
  }

  /// The client's network (RFC 7871 §6).
  private func subnet(v4: Int, v6: Int) -> [UInt8] {
    let address = inquiry.peer.host
    let length = address.count == 4 ? v4 : v6
    var data: [UInt8] = [0, address.count == 4 ? 1 : 2, UInt8(length), 0]
    for (index, octet) in address.prefix((length + 7) / 8).enumerated() {
      data.append(octet & UInt8(truncatingIfNeeded: 0xFF00 >> min(8, length - index * 8)))
    }
    return data
  }
}
