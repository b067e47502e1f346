import Engine

/// What the control thread does to put a new configuration to work (`Generation` in Sources/Control): looks often how far
/// the shards have come, and tells them how far they may go.
final class Reload {
  private unowned let world: World
  private let old: Generation
  private let new: Generation
  private let begun: UInt64
  private var looks = 0
  private var step = Reload.leaves

  /// Nanoseconds between looks.
  private static let pause = 200 * microsecond
  /// Nanoseconds until a shard that was told to leave is told to end: as long as its last question may take, and a little.
  private static let lastAnswer = 6 * second
  /// Nanoseconds until it has ended: a client that does not read its last answer is waited for as any is.
  private static let patience = 18 * second

  /// Ends what refers to each other.
  func takeApart() { new.takeApart() }

  init(world: World, settings: Settings) {
    self.world = world
    old = world.generation
    var settings = settings
    settings.keepCache(of: old.settings)
    new = Generation(world: world, fabric: Fabric(settings: settings, after: old.fabric))
    begun = world.time
    old.successor = new
    old.fabric.stages.successor = new.fabric
    old.fabric.stages.order(.leave)
  }

  func look() {
    // A wake-up can be lost.
    if looks % 100 == 0 { for port in old.ports { port.wake() } }
    looks += 1
    step(self)()
    guard world.reloading === self else { return }
    if world.time > begun + Self.patience + world.slack {
      return world.report("the shards of the last configuration do not end: \(old.fabric.stages.ordered)")
    }
    world.after(Self.pause) { [weak self] in self?.look() }
  }

  private func leaves() {
    guard old.fabric.stages.have(.leftCache) else { return }
    world.serve(new)
    new.fabric.carryCounts(of: old.fabric)
    new.fabric.stages.order(.serve)
    for shard in 0..<world.shards {
      world.after(world.chance.between(0, millisecond)) { [new] in
        new.fabric.adopt(shard)
        new.fabric.stages.report(.ready, of: shard)
      }
    }
    step = Reload.starts
  }

  private func starts() {
    guard new.fabric.stages.have(.ready) else { return }
    for shard in 0..<world.shards {
      world.after(world.chance.between(0, millisecond)) { [new] in new.start(shard) }
    }
    step = Reload.waits
  }

  private func waits() {
    guard old.fabric.stages.have(.done) || world.time > begun + Self.lastAnswer else { return }
    old.fabric.stages.order(.end)
    for port in old.ports { port.wake() }
    step = Reload.ends
  }

  private func ends() {
    guard old.fabric.stages.have(.ended) else { return }
    new.fabric.carryCounts(of: old.fabric)
    old.fabric.stages.successor = nil
    old.takeApart()
    world.leaving = nil
    world.reloading = nil
  }
}
