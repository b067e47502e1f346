import CSocket
import CUring
import Glibc

/// What a run came to.
struct Outcome {
  var tally = Tally()
  /// Ended by Ctrl-C.
  var isInterrupted = false
  /// Seconds of CPU that this process used, user and system.
  var cpu = 0.0
  /// The last error of a socket that did not end the run, and how many there were.
  var lastError: Int32 = 0
  var errors = 0
}

/// One thread's way in and out of a run.
private final class Worker: @unchecked Sendable {
  let thread: Int
  let plan: Plan
  let control: Control
  var outcome = Outcome()
  var failure: LoadError?

  init(_ thread: Int, _ plan: Plan, _ control: Control) {
    self.thread = thread
    self.plan = plan
    self.control = control
  }

  /// The thread writes `outcome` and `failure` before it says that it has ended; the starter reads them after.
  func run() {
    defer { control.setEnded(thread) }
    do {
      var client = try Client(thread: thread, plan: plan, control: control)
      control.setReady(thread)
      while control.order == .wait { usleep(50) }
      if control.order == .run { client.run() }
      failure = client.failure
      outcome.tally = client.tally
      outcome.lastError = client.lastError
      outcome.errors = client.errors
    } catch {
      failure = error
      control.setReady(thread)
    }
    if failure != nil { control.order = .stop }
  }

  func start() throws(LoadError) {
    var handle = pthread_t()
    // The thread takes over the reference.
    let code = unsafe pthread_create(
      &handle, nil,
      { raw in
        unsafe Unmanaged<Worker>.fromOpaque(raw!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard code == 0 else { throw LoadError("pthread_create", code: code) }
    pthread_detach(handle)
  }
}

/// Ctrl-C and SIGTERM, as something to wait for. All threads leave them blocked.
struct Interrupts {
  private var set = sigset_t()

  init() {
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGINT)
    unsafe sigaddset(&set, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Whether one came within `nanoseconds`.
  mutating func wait(_ nanoseconds: Int) -> Bool {
    var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
    return unsafe sigtimedwait(&set, nil, &time) > 0
  }
}

/// Runs plans, and says how they go.
struct Load {
  let console: Console
  /// Seconds between two lines of statistics; nil: none.
  let statisticsInterval: Double?
  var interrupts = Interrupts()

  /// Runs `plan` to its end. Throws what kept it from starting or going on.
  mutating func run(_ plan: Plan, label: String = "") throws(LoadError) -> Outcome {
    let control = Control(threads: plan.threads)
    let workers = (0..<plan.threads).map { Worker($0, plan, control) }
    for worker in workers { try worker.start() }
    while !control.areReady { usleep(100) }
    if control.order == .wait { control.order = .run }
    let before = cpuSeconds()
    var outcome = Outcome()
    outcome.isInterrupted = watch(control, label)
    outcome.cpu = cpuSeconds() - before
    for worker in workers {
      if let failure = worker.failure { throw failure }
      outcome.tally.add(worker.outcome.tally)
      outcome.errors += worker.outcome.errors
      if worker.outcome.errors > 0 { outcome.lastError = worker.outcome.lastError }
    }
    return outcome
  }

  /// Waits for the threads to end. True: because somebody asked them to.
  private mutating func watch(_ control: Control, _ label: String) -> Bool {
    let start = csocket_boottime()
    var shown = Sample(at: start, completed: 0)
    var counted = shown
    var isInterrupted = false
    while !control.haveEnded {
      if interrupts.wait(20_000_000) {
        isInterrupted = true
        control.order = .stop
      }
      let now = Sample(at: csocket_boottime(), completed: control.completed)
      if now.seconds(since: shown) >= 1 {
        let rate = Int(now.rate(since: shown))
        let elapsed = Int(Double(now.at - start) / 1e9)
        console.progress("\(label)\(elapsed) s: \(rate) answers/s, \(control.sent) sent, \(control.lost) lost")
        shown = now
      }
      if let statisticsInterval, now.seconds(since: counted) >= statisticsInterval {
        console.say("\(fixed(wallClock(), 6)): \(fixed(now.rate(since: counted), 6))")
        counted = now
      }
    }
    console.clearProgress()
    return isInterrupted
  }

  private struct Sample {
    let at: UInt64
    let completed: Int

    func seconds(since earlier: Sample) -> Double { Double(at - earlier.at) / 1e9 }
    func rate(since earlier: Sample) -> Double {
      Double(completed - earlier.completed) / seconds(since: earlier)
    }
  }

  private func wallClock() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func cpuSeconds() -> Double {
    var usage = rusage()
    unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
  }
}
