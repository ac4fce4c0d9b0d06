import CKernels
import Glibc
import Synchronization

/// A fixed set of threads that run the iterations of a loop side by side.
///
/// Loops do not nest: a loop started inside an iteration runs in place, and so does one started
/// while another thread is using the pool. Results must therefore never depend on which worker runs
/// an iteration; every operation here keeps its order of summation fixed.
public final class WorkerPool: Sendable {
  /// The pool that tensors use.
  public static let shared = WorkerPool()

  /// The number of processors that this process may use: those it is allowed to run on, or fewer
  /// where a container's quota grants the time of fewer. Threads beyond it would spin while those
  /// that have work are held up.
  public static var availableProcessorCount: Int {
    let allowed = max(1, Int(attune_allowed_processor_count()))
    return min(allowed, ProcessorQuota.ofThisProcess ?? allowed)
  }

  /// 0 outside the pool's own threads, otherwise 1, 2, ...
  static var currentWorkerIndex: Int { Int(bitPattern: pthread_getspecific(indexKey)) }

  private static let indexKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// Set while this thread runs an iteration, so that inner loops run in place.
  private static let busyKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// One loop in flight. Unchecked sendable because the closure behind the pointer lives on the
  /// stack of the thread that waits for the loop to end.
  private struct Job: @unchecked Sendable {
    var body: UnsafePointer<(Int) -> Void>
    var count: Int
    /// Workers of an index below it take part; the number may change before the next loop.
    var threadCount: Int
    /// That of the thread whose loop it is.
    var arithmetic: ProductArithmetic
  }

  private struct State {
    var threadCount: Int
    /// One for each thread started so far; worker i + 1 is at i.
    var sleepers: [Sleeper] = []
    var job: Job?
    var generation = 0
  }

  private let state: Mutex<State>
  /// Held by the thread whose loop is running.
  private let isTaken = Atomic<Bool>(false)
  /// A copy of the state's generation, raised by one for every loop, for workers to spin on.
  private let generation = Atomic<Int>(0)
  private let nextIndex = Atomic<Int>(0)
  /// Workers that have joined the current loop and not yet left it. Raised only by who holds the
  /// state's lock and sees the job there.
  private let activeWorkerCount = Atomic<Int>(0)

  private init() {
    state = Mutex(State(threadCount: WorkerPool.availableProcessorCount))
  }

  /// The number of threads that share a loop, the calling one included. Not to be set inside a
  /// loop.
  public var threadCount: Int {
    get { state.withLock { $0.threadCount } }
    set {
      precondition(newValue >= 1, "a worker pool needs at least one thread, not \(newValue)")
      // The loop would wait for this iteration, and this one for the loop to end.
      precondition(
        pthread_getspecific(WorkerPool.busyKey) == nil,
        "the number of threads cannot be set inside a loop of the worker pool")
      while !isTaken.compareExchange(
        expected: false, desired: true, ordering: .acquiring
      ).exchanged { sched_yield() }
      state.withLock { $0.threadCount = newValue }
      isTaken.store(false, ordering: .releasing)
    }
  }

  /// Runs `body` for 0..<count and returns when all are done.
  ///
  /// The body may only write to memory that no other iteration touches.
  public func forEach(_ count: Int, _ body: (Int) -> Void) {
    guard count > 0 else { return }
    let isInner = pthread_getspecific(WorkerPool.busyKey) != nil
    guard !isInner, count > 1,
      isTaken.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      for index in 0..<count { body(index) }
      return
    }
    defer { isTaken.store(false, ordering: .releasing) }
    // Read only now: while the pool is taken, nobody can change it.
    let threadCount = self.threadCount
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) {
        run(
          Job(
            body: $0, count: count, threadCount: threadCount, arithmetic: ProductArithmetic.current)
        )
      }
    }
  }

  /// Runs a body that may fail for 0..<count, all of it, and returns when all are done.
  ///
  /// - Throws: the error of the lowest index that failed, whichever worker met one first.
  public func tryForEach(_ count: Int, _ body: (Int) throws -> Void) throws {
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    forEach(count) { index in
      do {
        try body(index)
      } catch {
        failure.withLock { first in
          if first.map({ index < $0.index }) ?? true { first = (index, error) }
        }
      }
    }
    if let error = failure.withLock({ $0?.error }) { throw error }
  }

  /// Splits 0..<count into at most one contiguous range for each thread.
  ///
  /// - Parameter granularity: ranges start at multiples of it.
  func forEachRange(_ count: Int, granularity: Int = 1, _ body: (Range<Int>) -> Void) {
    let granuleCount = (count + granularity - 1) / granularity
    let rangeCount = min(granuleCount, threadCount)
    guard rangeCount > 1 else {
      if count > 0 { body(0..<count) }
      return
    }
    forEach(rangeCount) { index in
      let lower = granuleCount * index / rangeCount * granularity
      let upper = min(count, granuleCount * (index + 1) / rangeCount * granularity)
      body(lower..<upper)
    }
  }

  private func run(_ job: Job) {
    startThreads(job.threadCount - 1)
    nextIndex.store(0, ordering: .relaxed)
    let sleepers = state.withLock { state in
      state.job = job
      state.generation += 1
      generation.store(state.generation, ordering: .sequentiallyConsistent)
      return state.sleepers.prefix(job.threadCount - 1)
    }
    for sleeper in sleepers { sleeper.wake() }

    pthread_setspecific(WorkerPool.busyKey, UnsafeRawPointer(bitPattern: 1))
    runIterations(of: job)
    pthread_setspecific(WorkerPool.busyKey, nil)
    // Every iteration has been taken by now. Who has not joined, perhaps because it is still waking
    // up, is not waited for.
    state.withLock { $0.job = nil }
    var spinCount = 0
    while activeWorkerCount.load(ordering: .acquiring) > 0 {
      Self.spin(spinCount)
      spinCount += 1
    }
  }

  private func runIterations(of job: Job) {
    while true {
      let index = nextIndex.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < job.count else { return }
      job.body.pointee(index)
    }
  }

  private func startThreads(_ count: Int) {
    let started = state.withLock { $0.sleepers.count }
    guard started < count else { return }
    for index in started..<count { startThread(index: index + 1) }
  }

  private final class ThreadStart {
    let pool: WorkerPool
    let index: Int
    let sleeper: Sleeper
    let generation: Int
    init(pool: WorkerPool, index: Int, sleeper: Sleeper, generation: Int) {
      self.pool = pool
      self.index = index
      self.sleeper = sleeper
      self.generation = generation
    }
  }

  private func startThread(index: Int) {
    let sleeper = Sleeper()
    state.withLock { $0.sleepers.append(sleeper) }
    let start = ThreadStart(
      pool: self, index: index, sleeper: sleeper,
      generation: generation.load(ordering: .relaxed))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    // Graphs are released recursively; be generous.
    pthread_attr_setstacksize(&attributes, 64 << 20)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
        start.pool.work(
          index: start.index, sleeper: start.sleeper, generation: start.generation)
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(status == 0, "cannot start worker thread \(index): error \(status)")
  }

  private func work(index: Int, sleeper: Sleeper, generation initialGeneration: Int) {
    pthread_setspecific(WorkerPool.indexKey, UnsafeRawPointer(bitPattern: index))
    pthread_setspecific(WorkerPool.busyKey, UnsafeRawPointer(bitPattern: 1))
    var seen = initialGeneration
    while true {
      waitForGeneration(after: seen, sleeper)
      let job: Job? = state.withLock { state in
        seen = state.generation
        // The loop may be over, and threads beyond a lowered thread count stay out.
        guard let job = state.job, index < job.threadCount else { return nil }
        activeWorkerCount.add(1, ordering: .relaxed)
        return job
      }
      guard let job else { continue }
      if job.arithmetic == ProductArithmetic.current {
        runIterations(of: job)
      } else {
        ProductArithmetic.$current.withValue(job.arithmetic) { runIterations(of: job) }
      }
      activeWorkerCount.subtract(1, ordering: .releasing)
    }
  }

  /// Waits an instant. Who has waited for long offers its processor now and then: what it waits for
  /// may be another thread that other programs keep from running.
  private static func spin(_ count: Int) {
    if count > 4_000 && count % 64 == 0 { sched_yield() } else { attune_pause() }
  }

  private func waitForGeneration(after seen: Int, _ sleeper: Sleeper) {
    // A loop usually follows the last one within microseconds, and waking a thread takes as long as
    // many a loop: spin for about half a millisecond, then sleep.
    for spinCount in 0..<20_000 {
      if generation.load(ordering: .acquiring) > seen { return }
      Self.spin(spinCount)
    }
    attune_release_tiles()
    while generation.load(ordering: .acquiring) <= seen {
      sleeper.sleep { generation.load(ordering: .sequentiallyConsistent) <= seen }
    }
  }
}

/// Where one worker waits. Each has its own, so that none can take another's signal.
///
/// Unchecked sendable because the semaphore lives as long as the object and is used only through
/// the thread-safe sem_* calls.
private final class Sleeper: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private let isAsleep = Atomic<Bool>(false)
  /// The sleeping thread's number for the system; 0 until it sleeps for the first time.
  private let thread = Atomic<Int32>(0)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  /// Waits for a signal, unless there is no longer a reason to.
  func sleep(while isNeeded: () -> Bool) {
    thread.store(attune_thread_number(), ordering: .relaxed)
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    if !isNeeded(), isAsleep.exchange(false, ordering: .sequentiallyConsistent) { return }
    // Asleep, or a signal is already on its way and must be taken.
    while sem_wait(semaphore) != 0 {}
    attune_return_to_processors()
  }

  /// Sends a signal if the worker sleeps or is about to.
  func wake() {
    guard isAsleep.exchange(false, ordering: .sequentiallyConsistent) else { return }
    // It is to run beside the caller, not in its place.
    attune_keep_off_this_processor(thread.load(ordering: .relaxed))
    sem_post(semaphore)
  }
}
