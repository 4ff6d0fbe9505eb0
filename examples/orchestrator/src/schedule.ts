/** Runs `work` every `everyMs`, counted from the end of the run before. Closing ends that; a run under way is not waited for here. */
export function startSchedule(everyMs: number, work: () => Promise<unknown>): { close(): void } {
  let timer: NodeJS.Timeout;
  let closed = false;
  const arm = (): void => {
    timer = setTimeout(() => {
      void work().finally(() => closed || arm());
    }, everyMs);
    timer.unref();
  };
  arm();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
