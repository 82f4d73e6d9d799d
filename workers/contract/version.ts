/** Version of Ebbflow: of the image, the chart and package.json alike; a test holds them together. */
export const version = '0.1.0';
