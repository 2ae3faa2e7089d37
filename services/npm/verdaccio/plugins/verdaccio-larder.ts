/** What Verdaccio finds when it looks for a plugin: whatever the configuration makes. It loads plugins from files only. */
export default class FromConfiguration {
  constructor(config: { make(): object }) {
    // a constructor may return another object, and Verdaccio takes that for its plugin
    // biome-ignore lint/correctness/noConstructorReturn: this is how the plugin comes to be ours
    return config.make();
  }
}
