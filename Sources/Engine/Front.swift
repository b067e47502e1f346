import Synchronization

/// The directives that stand in front of the cache: they see every query of a chain, hits too.
public struct Front: Sendable {
  /// What a client's offer of UDP payload is lowered to, octets (bufsize).
  public var largestOffer: UInt16?
  /// What clients that ask for it are told of the server, at most 128 octets (nsid).
  public var serverIdentifier: [UInt8]?
  /// In order: the first that fits decides (acl).
  public var access: [AccessRule] = []
  /// nil: as stored (loadbalance).
  public var order: AddressOrder?
  public init() {}
}

/// A range of addresses: of 4 octets, or of 16.
public struct AddressRange: Sendable {
  private let octets: [UInt8]
  private let length: Int

  /// `length` in bits.
  public init(_ octets: [UInt8], length: Int) {
    self.octets = octets
    self.length = length
  }

  public func contains(_ address: [UInt8]) -> Bool {
    guard address.count == octets.count else { return false }
    for i in 0..<octets.count where i * 8 < length {
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> min(8, length - i * 8))
      if (address[i] ^ octets[i]) & mask != 0 { return false }
    }
    return true
  }
}

/// Who may ask what.
public struct AccessRule: Sendable {
  public enum Action: UInt8, Sendable {
    case allow
    /// REFUSED
    case block
    /// NOERROR without records
    case filter
    /// No reply at all.
    case drop
  }

  public var action: Action
  /// Wire format, folded.
  public var zones: [[UInt8]]
  /// Empty: all.
  public var types: [UInt16]
  public var sources: [AddressRange]

  public init(action: Action, zones: [[UInt8]], types: [UInt16], sources: [AddressRange]) {
    self.action = action
    self.zones = zones
    self.types = types
    self.sources = sources
  }

  func applies(_ name: [UInt8], _ type: UInt16, _ address: [UInt8]) -> Bool {
    (types.isEmpty || types.contains(type)) && sources.contains { $0.contains(address) }
      && zones.contains { zone in isName(name, within: zone) }
  }

  /// Both in wire format, folded; on label borders.
  private func isName(_ name: [UInt8], within zone: [UInt8]) -> Bool {
    var at = 0
    while name.count - at >= zone.count {
      if name[at...].elementsEqual(zone) { return true }
      at += Int(name[at]) + 1
    }
    return false
  }
}

/// In which order a reply's addresses stand.
public struct AddressOrder: Sendable {
  /// Which address of a name comes first, by chance in proportion to weights; nil: all are shuffled.
  public var weights: WeightTable?
  /// Addresses of these come first, in this order.
  public var preferred: [AddressRange] = []
  public init() {}
}

/// Weights of addresses by owner name; replaced whole when its file changes.
public final class WeightTable: Sendable {
  /// Owner name (wire format, folded) to addresses (4 or 16 octets) with their weights.
  public typealias Weights = [[UInt8]: [[UInt8]: Int]]
  private let weights: Mutex<Weights>

  public init(_ weights: Weights) { self.weights = Mutex(weights) }

  public func replace(with weights: Weights) { self.weights.withLock { $0 = weights } }

  func weights(of name: [UInt8]) -> [[UInt8]: Int]? { weights.withLock { $0[name] } }
}
