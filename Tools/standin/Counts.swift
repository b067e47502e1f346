/// What the server has seen since its start or the last reset.
struct Counts {
  /// Distinct names that are counted; questions for further ones only add to `uncounted`.
  static let nameLimit = 250_000

  private(set) var questions: [Name: [Question]] = [:]
  private(set) var total = 0
  private(set) var uncounted = 0
  private(set) var openConnections = 0
  private(set) var maxOpenConnections = 0
  private(set) var acceptedConnections = 0
  private(set) var outstanding = 0
  private(set) var maxOutstanding = 0

  struct Question {
    var type: UInt16
    var transport: Transport
    var count: Int
  }

  /// Counts a question and says how often its name and type have been asked so far, this time included; nil where the
  /// table is full.
  mutating func received(_ folded: Name, type: UInt16, over transport: Transport) -> Int? {
    total += 1
    guard questions[folded] != nil || questions.count < Self.nameLimit else {
      uncounted += 1
      return nil
    }
    var asked = 0
    var found = false
    var list = questions[folded, default: []]
    for at in list.indices where list[at].type == type {
      if list[at].transport == transport {
        list[at].count += 1
        found = true
      }
      asked += list[at].count
    }
    if !found {
      list.append(Question(type: type, transport: transport, count: 1))
      asked += 1
    }
    questions[folded] = list
    return asked
  }

  mutating func opened() {
    acceptedConnections += 1
    openConnections += 1
    maxOpenConnections = max(maxOpenConnections, openConnections)
  }

  mutating func closed() { openConnections -= 1 }

  mutating func began() {
    outstanding += 1
    maxOutstanding = max(maxOutstanding, outstanding)
  }

  mutating func ended(_ count: Int = 1) { outstanding -= count }

  /// Forgets everything but what is open and outstanding now, which become the new maxima.
  mutating func reset() {
    let (open, pending) = (openConnections, outstanding)
    self = Counts()
    (openConnections, maxOpenConnections) = (open, open)
    (outstanding, maxOutstanding) = (pending, pending)
  }
}

/// How a question came.
enum Transport: String {
  case udp, tcp
}
