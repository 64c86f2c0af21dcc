// Which of the page's networks is shown: one of them, or how the two differ.

export class View {
  /** `networks` are the float network and the int8 one, or one of them; `labels` the classes. */
  constructor(networks, labels) {
    this.labels = labels;
    [this.primary, this.secondary] = networks;
    this.networks = networks;
    this.kind = this.primary.id;
    const key = ({ kind, name, shape }) => `${kind} ${name} ${shape}`;
    const others = new Map(this.secondary?.layers.map((layer) => [key(layer), layer]));
    // Where only one of two converters joined two layers, neither has a partner.
    this.partners = this.primary.layers.map((layer) => others.get(key(layer)) ?? null);
  }

  /** Return the network that is shown and its layer at a place of the primary one, or null. */
  layerOf(index) {
    const second = this.secondary && this.kind === this.secondary.id;
    return second ? this.partnerOf(index) : [this.primary, this.primary.layers[index]];
  }

  partnerOf(index) {
    return [this.secondary, this.partners[index]];
  }
}
